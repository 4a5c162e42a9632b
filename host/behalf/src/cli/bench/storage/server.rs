//! The file server beside the host: nginx, or Python's.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::files::{Files, Size};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which file server is measured beside the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// nginx, which takes uploads as well.
    Nginx,
    /// `python3 -m http.server`, which serves downloads alone.
    Python,
}

/// The file server, and where its program is.
#[derive(Clone, Debug, Args)]
pub(super) struct ServerArgs {
    /// The file server that is measured in the same turns.
    #[arg(long, value_enum, default_value = "nginx")]
    beside: Kind,
    /// Its program, if it is not on the path.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// A file server that runs.
pub(super) struct FileServer {
    pub(super) address: SocketAddr,
    pub(super) name: &'static str,
    pub(super) takes_uploads: bool,
    kind: Kind,
    program: PathBuf,
    dir: TempDir,
    child: tokio::sync::Mutex<Child>,
}

impl FileServer {
    /// Writes the files to a folder, and starts a server on it.
    pub(super) async fn start(args: &ServerArgs, files: &Files) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        for size in [Size::Small, Size::Large] {
            let content = size.content();
            for name in files.names(size) {
                let path = dir.path().join("files").join(name);
                std::fs::create_dir_all(path.parent().context("no folder")?)?;
                std::fs::write(path, &content)?;
            }
        }
        // Freed again and bound by the child; nothing else on this machine asks for ports by number.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (name, program) = match args.beside {
            Kind::Nginx => ("nginx", args.program.clone().unwrap_or_else(|| "nginx".into())),
            Kind::Python => ("python3 -m http.server", args.program.clone().unwrap_or_else(|| "python3".into())),
        };
        let mut command = match args.beside {
            Kind::Nginx => nginx(&program, dir.path(), address)?,
            Kind::Python => python(&program, dir.path(), address),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let hint = "install nginx, name it with --program, or use --beside python";
        let child = command.spawn().with_context(|| format!("cannot start {}; {hint}", program.display()))?;
        let takes_uploads = args.beside == Kind::Nginx;
        let server = Self { address, name, takes_uploads, kind: args.beside, program, dir, child: child.into() };
        server.ready().await?;
        Ok(server)
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.child.lock().await.try_wait()? {
                bail!("{} ended with {status}", self.program.display());
            }
            ensure!(Instant::now() < until, "{} does not serve within {} seconds", self.name, PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(super) async fn stop(&self) -> anyhow::Result<()> {
        let mut child = self.child.lock().await;
        // A killed nginx would leave its workers behind.
        if self.kind == Kind::Nginx {
            let stopped = command_of(&self.program, self.dir.path()).args(["-s", "stop"]).output().await?;
            ensure!(stopped.status.success(), "cannot stop nginx: {}", String::from_utf8_lossy(&stopped.stderr));
            child.wait().await?;
            return Ok(());
        }
        child.kill().await.context("cannot stop the file server")
    }
}

fn python(program: &Path, dir: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.args(["-m", "http.server", "--protocol", "HTTP/1.1", "--bind", "127.0.0.1", "--directory"]);
    command.arg(dir.join("files")).arg(address.port().to_string());
    command
}

fn nginx(program: &Path, dir: &Path, address: SocketAddr) -> anyhow::Result<Command> {
    let folder = dir.display();
    // The workers need the right to read a folder of this user alone.
    let settings = format!(
        "daemon off; user root root; worker_processes auto; pid {folder}/pid; error_log {folder}/errors;\n\
         events {{ worker_connections 2048; }}\n\
         http {{\n\
         access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; client_max_body_size 0;\n\
         client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
         uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
         server {{ listen {address}; root {folder}/files; location / {{ dav_methods PUT; }} }}\n\
         }}\n"
    );
    std::fs::write(dir.join("nginx.conf"), settings)?;
    Ok(command_of(program, dir))
}

fn command_of(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf"));
    command
}
