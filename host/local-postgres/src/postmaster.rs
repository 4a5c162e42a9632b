//! Finds, watches and stops the server's main process.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tokio::process::Command;

use super::log::last_lines;
use super::programs::Programs;

/// The content of `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: u32,
    pub(super) port: u16,
    /// Whether the server accepts connections.
    pub(super) ready: bool,
}

impl Postmaster {
    /// The process recorded in `data`, running or not.
    pub(super) fn recorded(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    /// Lines: process id, data folder, start time, port, socket folder, address, shared memory, status.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = lines.first()?.parse().ok()?;
        let port = lines.get(3).and_then(|port| port.parse().ok()).unwrap_or(0);
        Some(Self { pid, port, ready: lines.get(7) == Some(&"ready") })
    }

    /// Whether that process runs and serves `data`. After a restart of the machine, or in a new container, another
    /// process may have the id.
    pub(super) async fn serves(&self, data: &Path) -> bool {
        command_line(self.pid).await.is_some_and(|line| contains(&line, data.as_os_str().as_bytes()))
    }
}

/// Stops the server in `data` and waits until it has ended. The error is the output of `pg_ctl`.
pub(super) async fn stop(programs: &Programs, data: &Path) -> Result<(), String> {
    let mut said = String::new();
    // A client that does not disconnect may block the first mode.
    for mode in ["fast", "immediate"] {
        let output = stop_command(programs, data, mode).args(["-w", "-t", "30"]).output().await;
        match output {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => said = last_lines(&[output.stdout, output.stderr].concat()),
            Err(error) => said = error.to_string(),
        }
        let gone = match Postmaster::recorded(data) {
            Some(postmaster) => !postmaster.serves(data).await,
            None => true,
        };
        if gone {
            return Ok(());
        }
    }
    Err(said)
}

/// The command that asks the server in `data` to stop.
pub(super) fn stop_command(programs: &Programs, data: &Path, mode: &str) -> Command {
    let mut command = programs.command("pg_ctl");
    command.args(["stop", "-D"]).arg(data).args(["-m", mode]);
    command
}

/// The arguments of a process; `None` if it does not run.
async fn command_line(pid: u32) -> Option<Vec<u8>> {
    if Path::new("/proc/self").exists() {
        return fs::read(format!("/proc/{pid}/cmdline")).ok();
    }
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().await.ok()?;
    Some(output.stdout).filter(|_| output.status.success())
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len().max(1)).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_is_read() {
        let text = "4711\n/data\n1700000000\n5433\n/socket\n127.0.0.1\n  5433001    32768\nready   \n";
        assert_eq!(Postmaster::parse(text), Some(Postmaster { pid: 4711, port: 5433, ready: true }));
        assert_eq!(Postmaster::parse("4711\n"), Some(Postmaster { pid: 4711, port: 0, ready: false }));
        assert_eq!(Postmaster::parse(""), None);
    }

    #[tokio::test]
    async fn a_process_that_is_no_postgres_serves_nothing() {
        let own = Postmaster { pid: std::process::id(), port: 1, ready: true };
        assert!(!own.serves(Path::new("/nowhere/data")).await);
    }
}
