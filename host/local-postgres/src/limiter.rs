//! Bounds the memory of single server processes.

use std::io;
use std::path::{Path, PathBuf};

use super::account::Users;
use super::log::last_lines;
use super::postmaster::Postmaster;

/// Bounds the memory of the sessions of one local Postgres. Each process is bounded by itself: a limit on all of them
/// together, such as a cgroup's, is kept by killing, and then the server ends every session and recovers.
#[derive(Clone, Debug)]
pub struct SessionLimiter {
    users: Users,
    data: PathBuf,
}

impl SessionLimiter {
    /// For the server of this data folder.
    pub(super) fn new(users: Users, data: PathBuf) -> Self {
        Self { users, data }
    }

    /// Lets the process of one session have at most `bytes` of data. Shared memory does not count. When it needs more, the
    /// server refuses the statement with SQLSTATE 53200.
    pub async fn limit(&self, process_id: i32, bytes: u64) -> io::Result<()> {
        let server = Postmaster::recorded(&self.data).map(|postmaster| postmaster.pid);
        // An id that came over a connection names a process of this server or none that may be touched.
        if server.is_none() || parent(process_id) != server {
            return Err(io::Error::other(format!("process {process_id} is no session of the local Postgres")));
        }
        self.bound(process_id, bytes).await
    }

    /// Lets each process that the server starts from now on have at most `bytes` of data, as an operator does who starts the
    /// server under `ulimit -d`.
    pub async fn limit_new_sessions(&self, bytes: u64) -> io::Result<()> {
        let server = Postmaster::recorded(&self.data).and_then(|postmaster| i32::try_from(postmaster.pid).ok());
        self.bound(server.ok_or_else(|| io::Error::other("the local Postgres does not run"))?, bytes).await
    }

    async fn bound(&self, process_id: i32, bytes: u64) -> io::Result<()> {
        match set(process_id, bytes) {
            // Containers often take from root the right to bound other users' processes. Each user may bound their own.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.users.server.is_some() => {
                self.set_as_server_user(process_id, bytes).await
            }
            done => done,
        }
    }

    async fn set_as_server_user(&self, process_id: i32, bytes: u64) -> io::Result<()> {
        let mut command = self.users.command(Path::new("prlimit"));
        command.arg(format!("--pid={process_id}")).arg(format!("--data={bytes}:{bytes}"));
        let done = command.output().await?;
        if done.status.success() { Ok(()) } else { Err(io::Error::other(last_lines(&done.stderr))) }
    }
}

/// The process that started `process_id`; `None` where that cannot be told.
fn parent(process_id: i32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

#[cfg(target_os = "linux")]
fn set(process_id: i32, bytes: u64) -> io::Result<()> {
    rlimit::prlimit(process_id, rlimit::Resource::DATA, Some((bytes, bytes)), None)
}

#[cfg(not(target_os = "linux"))]
fn set(_: i32, _: u64) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux bounds the memory of another process"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_is_no_session_is_not_touched() {
        let data = tempfile::tempdir().expect("a folder");
        let users = Users { host: 0, server: None };
        let limiter = SessionLimiter::new(users, data.path().to_owned());
        let mut other = tokio::process::Command::new("sleep").arg("30").spawn().expect("started");
        let id = other.id().and_then(|id| i32::try_from(id).ok()).expect("an id");
        assert!(limiter.limit(id, 1 << 30).await.is_err(), "there is no server");
        std::fs::write(data.path().join("postmaster.pid"), "1\n").expect("written");
        let refused = limiter.limit(id, 1 << 30).await.expect_err("another process").to_string();
        assert!(refused.contains("no session"), "{refused}");
        let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).expect("limits");
        let data = limits.lines().find(|line| line.starts_with("Max data size")).expect("the limit");
        assert!(data.contains("unlimited"), "{data}");
        other.kill().await.expect("ended");
    }
}
