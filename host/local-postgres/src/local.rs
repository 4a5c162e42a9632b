//! A running local Postgres.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use behalf_jobs::AbortOnDrop;

use super::binaries::Binaries;
use super::folder::{read_short, write_whole};
use super::layout::Layout;
use super::limiter::SessionLimiter;
use super::lock::FolderLock;
use super::postmaster::{Postmaster, stop, stop_command};
use super::programs::Programs;
use super::{DATABASE, OWNER, StartError, StopError, cluster, launch, session};
use behalf_problem::LogText as _;
use futures::future::BoxFuture;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The options of a local Postgres.
#[derive(Clone, Debug, Default)]
pub struct LocalOptions {
    /// The folder of the database and its files. It is made if it does not exist.
    pub dir: PathBuf,
    /// The folder of Postgres's programs. If absent, an installed Postgres with pgvector is searched.
    pub bin_dir: Option<PathBuf>,
    /// The port to listen on, if it is free. If absent or 0, the last port is used if it is free, else any.
    pub port: Option<u16>,
    /// Further server settings, which override the defaults of this crate.
    pub settings: Vec<(String, String)>,
}

/// A running local Postgres. Dropping it asks the server to stop and does not wait. A host that is killed leaves the
/// server running, and the next start takes it over.
pub struct LocalPostgres {
    _lock: FolderLock,
    layout: Layout,
    programs: Programs,
    bin_dir: PathBuf,
    port: u16,
    password: String,
    _log_limit: AbortOnDrop<()>,
    running: bool,
}

impl LocalPostgres {
    /// Starts the Postgres of a folder, or takes over the one that still runs there. The first start makes the cluster.
    pub fn start(options: &LocalOptions) -> BoxFuture<'_, Result<Self, StartError>> {
        Box::pin(async move {
            fs::create_dir_all(&options.dir).map_err(StartError::file(&options.dir))?;
            let Taken { lock, layout, programs, bin_dir } = Taken::take(options).await?;
            if layout.is_leftover() {
                end_leftover(&layout, &programs).await?;
                layout.remove_leftover()?;
            }
            layout.record()?;
            let password = cluster::ensure(&layout, &programs).await?;
            let port = run(&layout, &programs, &password, options).await?;
            let log_limit = AbortOnDrop::new(layout.log().keep_bounded());
            Ok(Self { _lock: lock, layout, programs, bin_dir, port, password, _log_limit: log_limit, running: true })
        })
    }

    /// Removes the Postgres of a folder that nobody uses, with its database. A server that a killed host left is stopped.
    pub async fn remove(options: &LocalOptions) -> Result<(), StartError> {
        let Taken { lock: _lock, layout, programs, .. } = Taken::take(options).await?;
        end_leftover(&layout, &programs).await?;
        layout.remove_all().map_err(|(path, source)| StartError::file(&path)(source))
    }

    /// The address for the owner of the database, a superuser.
    pub fn owner_url(&self) -> String {
        format!("postgres://{OWNER}:{}@127.0.0.1:{}/{DATABASE}", self.password, self.port)
    }

    /// The same over the server's Unix socket, where a message takes less time than over TCP. Other users of this
    /// machine cannot reach the socket.
    pub fn owner_socket_url(&self) -> String {
        let dir = self.socket_dir();
        let dir = utf8_percent_encode(&dir.to_string_lossy(), NON_ALPHANUMERIC).to_string();
        format!("postgres://{OWNER}:{}@localhost:{}/{DATABASE}?host={dir}", self.password, self.port)
    }

    /// The port. The server listens on 127.0.0.1 and on its Unix socket only.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's Unix socket, `.s.PGSQL.` and the port.
    pub fn socket_dir(&self) -> PathBuf {
        self.layout.socket_dir()
    }

    /// The folder of this Postgres's programs, such as `psql` and `pgbench`.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// The version, such as `16.14`.
    pub fn version(&self) -> &str {
        self.programs.version()
    }

    /// Bounds the memory of single sessions of this server.
    pub fn session_limiter(&self) -> SessionLimiter {
        SessionLimiter::new(self.layout.users, self.layout.data())
    }

    /// Stops the server and waits until it has ended. The database stays.
    pub async fn stop(mut self) -> Result<(), StopError> {
        self.end().await
    }

    /// Stops the server and removes its folder with the database, for temporary databases.
    pub async fn discard(mut self) -> Result<(), StopError> {
        self.end().await?;
        self.layout.remove_all().map_err(|(path, source)| StopError::Remove { path, source })
    }

    async fn end(&mut self) -> Result<(), StopError> {
        let data = self.layout.data();
        stop(&self.programs, &data).await.map_err(|output| StopError::StillRunning { data, output })?;
        self.running = false;
        Ok(())
    }
}

impl Drop for LocalPostgres {
    fn drop(&mut self) {
        if self.running {
            let mut command = stop_command(&self.programs, &self.layout.data(), "fast");
            command.arg("-W").stdout(Stdio::null()).stderr(Stdio::null());
            if let Err(error) = command.as_std_mut().spawn() {
                tracing::warn!(error = error.log_text(), "the local Postgres goes on running");
            }
        }
    }
}

impl fmt::Debug for LocalPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalPostgres").field("place", &self.layout).field("port", &self.port).finish_non_exhaustive()
    }
}

/// A folder that is this process's alone, with what runs a server there.
struct Taken {
    lock: FolderLock,
    layout: Layout,
    programs: Programs,
    bin_dir: PathBuf,
}

impl Taken {
    async fn take(options: &LocalOptions) -> Result<Self, StartError> {
        let dir = fs::canonicalize(&options.dir).map_err(StartError::file(&options.dir))?;
        let lock = FolderLock::take(&dir)?;
        let binaries = Binaries::find(options.bin_dir.as_deref()).await?;
        let layout = Layout::choose(&dir).await?;
        let programs = Programs::prepare(&binaries, layout.users, &layout.outside).await?;
        Ok(Self { lock, layout, programs, bin_dir: binaries.bin_dir })
    }
}

/// Takes over a running server if it has the wanted settings and port, or starts one. Returns its port.
async fn run(layout: &Layout, programs: &Programs, password: &str, options: &LocalOptions) -> Result<u16, StartError> {
    let data = layout.data();
    let wish = options.port.filter(|port| *port != 0);
    let settings = launch::arguments(&options.settings);
    // Short files are read without white space at their end.
    let noted = format!("{}\n{}", programs.version(), settings.join("\n")).trim_end().to_owned();
    if let Some(found) = Postmaster::recorded(&data)
        && found.serves(&data).await
    {
        let as_asked =
            read_short(&layout.settings())?.as_ref() == Some(&noted) && wish.is_none_or(|port| port == found.port);
        let has_socket = layout.socket_dir().join(format!(".s.PGSQL.{}", found.port)).exists();
        if as_asked && has_socket && session::answers(programs, found.port, password, &data).await.is_ok() {
            tracing::debug!(postgres.pid = found.pid, "taking over the local Postgres of an earlier run");
            return Ok(found.port);
        }
        end_leftover(layout, programs).await?;
    }
    let last = read_short(&layout.port())?.and_then(|port| port.parse().ok());
    let wishes: Vec<u16> = wish.into_iter().chain(last).collect();
    write_whole(&layout.settings(), &format!("{noted}\n"))?;
    let port = launch::launch(layout, programs, &settings, &wishes).await?;
    if let Some(wish) = wish.filter(|wish| *wish != port) {
        tracing::warn!(wish, port, "the port wished for is taken; Postgres listens on another");
    }
    write_whole(&layout.port(), &format!("{port}\n"))?;
    let Err(detail) = session::answers(programs, port, password, &data).await else {
        return Ok(port);
    };
    // A server that cannot be used must not keep running. The start has failed already, so this result does not matter.
    let _ = stop(programs, &data).await;
    Err(StartError::Password { data, password: layout.password(), dir: layout.dir.clone(), detail })
}

/// Stops the server of an earlier run, if there is one.
async fn end_leftover(layout: &Layout, programs: &Programs) -> Result<(), StartError> {
    let data = layout.data();
    match Postmaster::recorded(&data) {
        Some(found) if found.serves(&data).await => {
            tracing::info!(postgres.pid = found.pid, "stopping the local Postgres of an earlier run");
            stop(programs, &data).await.map_err(|output| StartError::Leftover { pid: found.pid, output })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Without a Postgres the tests fail and are not skipped.
    fn options(dir: &Path) -> LocalOptions {
        let bin_dir = std::env::var_os("BEHALF_POSTGRES_BIN").map(PathBuf::from);
        LocalOptions { dir: dir.join("a folder/postgres"), bin_dir, ..LocalOptions::default() }
    }

    async fn sql(postgres: &LocalPostgres, text: &str) -> String {
        sql_at(postgres, &postgres.owner_url(), text).await
    }

    async fn sql_at(postgres: &LocalPostgres, address: &str, text: &str) -> String {
        let output = tokio::process::Command::new(postgres.bin_dir().join("psql"))
            .args(["-X", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", text])
            .output()
            .await
            .expect("psql runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_restart() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut options = options(dir.path());
        let first = LocalPostgres::start(&options).await.expect("started");
        sql(&first, "create extension vector; create table kept as select 1 as n").await;
        // A connection over TCP has an address, one over the socket has none.
        let is_socket = "select inet_server_addr() is null";
        assert_eq!(sql(&first, is_socket).await, "f");
        assert_eq!(sql_at(&first, &first.owner_socket_url(), is_socket).await, "t");
        let second = LocalPostgres::start(&options).await.expect_err("in use");
        assert!(matches!(second, StartError::InUse { .. }), "{second}");
        let port = first.port();
        let data = first.layout.data();
        first.stop().await.expect("stopped");

        // Any process may have the id of a server that ended with the machine it ran on.
        fs::write(data.join("postmaster.pid"), format!("{}\n{}\n", std::process::id(), data.display())).expect("stale");
        let taken = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        options.settings.push(("work_mem".to_owned(), "5MB".to_owned()));
        let third = LocalPostgres::start(&options).await.expect("started on another port");
        assert_ne!(third.port(), port);
        assert_eq!(sql(&third, "select n from kept").await, "1");
        assert_eq!(sql(&third, "show work_mem").await, "5MB");
        drop(taken);
        let used = LocalPostgres::remove(&options).await.expect_err("in use");
        assert!(matches!(used, StartError::InUse { .. }), "{used}");
        third.stop().await.expect("stopped");
        LocalPostgres::remove(&options).await.expect("removed");
        assert!(!options.dir.exists() && !data.exists());
    }

    #[tokio::test]
    async fn a_server_left_by_a_killed_host_is_taken_over() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut options = options(dir.path());
        let mut killed = LocalPostgres::start(&options).await.expect("started");
        killed.running = false;
        let before = Postmaster::recorded(&killed.layout.data()).expect("running");
        drop(killed);

        let mut next = LocalPostgres::start(&options).await.expect("taken over");
        assert_eq!(Postmaster::recorded(&next.layout.data()).as_ref(), Some(&before));
        assert_eq!(sql_at(&next, &next.owner_socket_url(), "select 1").await, "1");
        next.running = false;
        drop(next);

        options.settings.push(("work_mem".to_owned(), "5MB".to_owned()));
        let other = LocalPostgres::start(&options).await.expect("restarted, as it is to run differently");
        assert_ne!(Postmaster::recorded(&other.layout.data()).expect("running").pid, before.pid);
        other.discard().await.expect("discarded");
    }
}
