//! A database server that is killed as `kill -9` does, and started again at its place.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use behalf_config::environment;
use behalf_local_postgres::{LocalOptions, LocalPostgres};

/// How long a killed server may need to start.
const PATIENCE: Duration = Duration::from_mins(2);

/// Whether the kill of this number, of `all`, is one of so many of Postgres, which are spread over all.
pub(super) fn is_of_postgres(number: u32, all: u32, of_postgres: u32) -> bool {
    (number + 1) * of_postgres / all > number * of_postgres / all
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_of_postgres_are_as_many_as_asked_and_spread() {
        for (all, of_postgres) in [(13, 3), (10, 0), (3, 3), (1, 1), (60, 30), (40, 7), (1_000, 7)] {
            let numbers: Vec<u32> = (0..all).filter(|number| is_of_postgres(*number, all, of_postgres)).collect();
            assert_eq!(numbers.len(), usize::try_from(of_postgres).expect("a few"), "{all}");
            assert!(numbers.windows(2).all(|two| two[1] - two[0] >= all / of_postgres), "{numbers:?}");
        }
    }
}
