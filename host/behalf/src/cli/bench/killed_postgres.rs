//! A database server that is killed as `kill -9` does, and started again at its place.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use behalf_config::environment;
use behalf_local_postgres::{LocalOptions, LocalPostgres};

/// How long a killed server may need to start.
const PATIENCE: Duration = Duration::from_mins(2);

/// Kills the server of `folder` with its sessions, and starts it again at the same port.
pub(super) async fn kill_and_start(local: LocalPostgres, folder: &Path) -> anyhow::Result<LocalPostgres> {
    let dir = folder.join("postgres");
    let place = std::fs::read_to_string(dir.join("place"));
    let data = place.map_or_else(|_| dir.clone(), |place| PathBuf::from(place.trim())).join("data");
    let pid = std::fs::read_to_string(data.join("postmaster.pid"))?;
    let pid = pid.lines().next().context("no process")?;
    let sessions = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    // Some sessions end by themselves meanwhile, so the result does not matter.
    Command::new("kill").arg("-9").arg(pid).args(sessions.split_whitespace()).status()?;
    let (port, began) = (local.port(), Instant::now());
    drop(local);
    let bin_dir = environment("BEHALF_POSTGRES_BIN").map(PathBuf::from);
    let settings = vec![("max_connections".to_owned(), "200".to_owned())];
    let options = LocalOptions { dir, bin_dir, port: Some(port), settings };
    loop {
        match LocalPostgres::start(&options).await {
            Ok(local) => {
                ensure!(local.port() == port, "the server came back at another port");
                return Ok(local);
            }
            Err(error) if began.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
