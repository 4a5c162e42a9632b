//! One running local Postgres, from start to stop.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::task::JoinHandle;

use super::binaries::Binaries;
use super::folder::{read_short, write_whole};
use super::lock::FolderLock;
use super::place::Place;
use super::postmaster::{Postmaster, stop, stop_command};
use super::programs::Programs;
use super::{DATABASE, OWNER, StartError, StopError, cluster, launch, session};

/// What to start, and where.
#[derive(Clone, Debug, Default)]
pub struct LocalOptions {
    /// The folder that holds the database and all about it; made if it is not there.
    pub dir: PathBuf,
    /// The folder of Postgres's programs; without it an installed Postgres with pgvector is looked for.
    pub bin_dir: Option<PathBuf>,
    /// The port to listen on, if it is free; without it, or with 0, the last one, else any.
    pub port: Option<u16>,
    /// More server settings, which win over the room's own.
    pub settings: Vec<(String, String)>,
}

/// A running local Postgres. Dropping it asks the server to stop, without waiting; a host that is killed leaves it
/// running, and the next start takes it over.
pub struct LocalPostgres {
    _lock: FolderLock,
    place: Place,
    programs: Programs,
    bin_dir: PathBuf,
    port: u16,
    password: String,
    log_keeper: JoinHandle<()>,
    running: bool,
}

impl LocalPostgres {
    /// Starts the Postgres of a folder, making it the first time, or takes over the one still running there.
    pub async fn start(options: &LocalOptions) -> Result<Self, StartError> {
        fs::create_dir_all(&options.dir).map_err(StartError::file(&options.dir))?;
        let dir = fs::canonicalize(&options.dir).map_err(StartError::file(&options.dir))?;
        let lock = FolderLock::take(&dir)?;
        let binaries = Binaries::find(options.bin_dir.as_deref()).await?;
        let place = Place::choose(&dir).await?;
        let programs = Programs::prepare(&binaries, place.users, &place.outside).await?;
        if place.is_leftover() {
            end_leftover(&place, &programs).await?;
            place.remove_leftover()?;
        }
        place.record()?;
        let password = cluster::ensure(&place, &programs).await?;
        let port = run(&place, &programs, &password, options).await?;
        let log_keeper = place.log().keep_bounded();
        Ok(Self { _lock: lock, place, programs, bin_dir: binaries.bin_dir, port, password, log_keeper, running: true })
    }

    /// How to connect as the owner of everything, a superuser.
    pub fn owner_url(&self) -> String {
        format!("postgres://{OWNER}:{}@127.0.0.1:{}/{DATABASE}", self.password, self.port)
    }

    /// The port it listens on, on 127.0.0.1 only.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where this Postgres's programs are, `psql` and `pgbench` among them.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// Its version, as in `16.14`.
    pub fn version(&self) -> &str {
        self.programs.version()
    }

    /// Stops the server and waits until it has; the database stays.
    pub async fn stop(mut self) -> Result<(), StopError> {
        self.end().await
    }

    /// Stops the server and removes the database and everything else in its folder: for one made to be thrown away.
    pub async fn discard(mut self) -> Result<(), StopError> {
        self.end().await?;
        self.place.remove_all().map_err(|(path, source)| StopError::Remove { path, source })
    }

    async fn end(&mut self) -> Result<(), StopError> {
        let data = self.place.data();
        stop(&self.programs, &data).await.map_err(|output| StopError::StillRunning { data, output })?;
        self.running = false;
        Ok(())
    }
}

impl Drop for LocalPostgres {
    fn drop(&mut self) {
        self.log_keeper.abort();
        if self.running {
            let mut command = stop_command(&self.programs, &self.place.data(), "fast");
            command.arg("-W").stdout(Stdio::null()).stderr(Stdio::null());
            if let Err(error) = command.as_std_mut().spawn() {
                tracing::warn!(%error, "the local Postgres goes on running");
            }
        }
    }
}

impl fmt::Debug for LocalPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalPostgres").field("place", &self.place).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Takes over a server that is there and does as asked, or starts one; returns its port.
async fn run(place: &Place, programs: &Programs, password: &str, options: &LocalOptions) -> Result<u16, StartError> {
    let data = place.data();
    let wish = options.port.filter(|port| *port != 0);
    let settings = launch::arguments(&options.settings);
    // Short files are read without the blanks at their end.
    let noted = format!("{}\n{}", programs.version(), settings.join("\n")).trim_end().to_owned();
    if let Some(found) = Postmaster::recorded(&data)
        && found.serves(&data).await
    {
        let as_asked =
            read_short(&place.settings())?.as_ref() == Some(&noted) && wish.is_none_or(|port| port == found.port);
        if as_asked && session::answers(programs, found.port, password, &data).await.is_ok() {
            tracing::debug!(postgres.pid = found.pid, "taking over the local Postgres of an earlier run");
            return Ok(found.port);
        }
        end_leftover(place, programs).await?;
    }
    let last = read_short(&place.port())?.and_then(|port| port.parse().ok());
    let wishes: Vec<u16> = wish.into_iter().chain(last).collect();
    write_whole(&place.settings(), &format!("{noted}\n"))?;
    let port = launch::launch(place, programs, &settings, &wishes).await?;
    if let Some(wish) = wish.filter(|wish| *wish != port) {
        tracing::warn!(wish, port, "the port wished for is taken; Postgres listens on another");
    }
    write_whole(&place.port(), &format!("{port}\n"))?;
    let Err(detail) = session::answers(programs, port, password, &data).await else {
        return Ok(port);
    };
    // A server nobody can use must not stay; the start has failed already, so how this ends changes nothing.
    let _ = stop(programs, &data).await;
    Err(StartError::Password { data, password: place.password(), dir: place.dir.clone(), detail })
}

/// Stops the server of an earlier run, if there is one.
async fn end_leftover(place: &Place, programs: &Programs) -> Result<(), StartError> {
    let data = place.data();
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

    /// Fails without a Postgres: a promise that is not tested is not kept.
    fn options(dir: &Path) -> LocalOptions {
        let bin_dir = std::env::var_os("BEHALF_POSTGRES_BIN").map(PathBuf::from);
        LocalOptions { dir: dir.join("a folder/postgres"), bin_dir, ..LocalOptions::default() }
    }

    async fn sql(postgres: &LocalPostgres, text: &str) -> String {
        let output = tokio::process::Command::new(postgres.bin_dir().join("psql"))
            .args(["-X", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", &postgres.owner_url(), "-c", text])
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
        let second = LocalPostgres::start(&options).await.expect_err("in use");
        assert!(matches!(second, StartError::InUse { .. }), "{second}");
        let port = first.port();
        let data = first.place.data();
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
        third.discard().await.expect("discarded");
        assert!(!options.dir.exists());
    }

    #[tokio::test]
    async fn a_server_left_by_a_killed_host_is_taken_over() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut options = options(dir.path());
        let mut killed = LocalPostgres::start(&options).await.expect("started");
        killed.running = false;
        let before = Postmaster::recorded(&killed.place.data()).expect("running");
        drop(killed);

        let mut next = LocalPostgres::start(&options).await.expect("taken over");
        assert_eq!(Postmaster::recorded(&next.place.data()).as_ref(), Some(&before));
        next.running = false;
        drop(next);

        options.settings.push(("work_mem".to_owned(), "5MB".to_owned()));
        let other = LocalPostgres::start(&options).await.expect("restarted, as it is to run differently");
        assert_ne!(Postmaster::recorded(&other.place.data()).expect("running").pid, before.pid);
        other.discard().await.expect("discarded");
    }
}
