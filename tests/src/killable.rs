//! A Postgres of a test's own that can be killed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use behalf_config::environment;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use tempfile::TempDir;

/// A server in a folder of its own. Its databases keep what they were told is safe.
#[derive(Debug)]
pub struct KillableServer {
    folder: TempDir,
    local: LocalPostgres,
}

impl KillableServer {
    fn options(folder: &Path, port: Option<u16>) -> LocalOptions {
        let bin_dir = environment("BEHALF_POSTGRES_BIN").map(PathBuf::from);
        LocalOptions { dir: folder.join("postgres"), bin_dir, port, settings: Vec::new() }
    }

    /// Starts one.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = LocalPostgres::start(&Self::options(folder.path(), None)).await.unwrap();
        Self { folder, local }
    }

    /// The address for its owner.
    pub fn owner_url(&self) -> String {
        self.local.owner_url()
    }

    /// Kills the server and its sessions as `kill -9` does, and starts it again at the same address.
    pub async fn kill(self) -> Self {
        let Self { folder, local } = self;
        let dir = folder.path().join("postgres");
        let keep = std::fs::read_to_string(dir.join("place")).map_or(dir, |place| PathBuf::from(place.trim()));
        let pid = std::fs::read_to_string(keep.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let sessions = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        Command::new("kill").arg("-9").arg(pid).args(sessions.split_whitespace()).status().unwrap();
        let port = local.port();
        drop(local);
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            match LocalPostgres::start(&Self::options(folder.path(), Some(port))).await {
                Ok(local) => return Self { folder, local },
                Err(error) => assert!(Instant::now() < end, "the server does not start again: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Stops it and removes it.
    pub async fn discard(self) {
        self.local.discard().await.unwrap();
        drop(self.folder);
    }
}
