//! A host in a process of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;

/// How long a host may take to start: it compiles the bundled plugins, and loads those of others.
pub(super) const PATIENCE: Duration = Duration::from_mins(10);
/// Bytes of its log that are kept for the case that it ends.
const LAST_WORDS: usize = 4096;
/// Linux tells a process's time in hundredths of a second, whatever the kernel's own clock is.
const TICKS_PER_SECOND: f64 = 100.0;

/// A host as a process of its own, so that what it takes is told from what the measurement takes.
pub(super) struct HostProcess {
    child: Child,
    pid: u32,
    /// Reads the log until its end; a full pipe would stop the host.
    log: JoinHandle<String>,
    pub(super) address: SocketAddr,
}

impl HostProcess {
    /// Starts `behalf serve` with these settings and waits until it serves.
    pub(super) async fn start(settings: &[(&str, String)], state_dir: &Path) -> anyhow::Result<Self> {
        let mut host = Self::spawn(settings, state_dir)?;
        host.ready().await?;
        Ok(host)
    }

    /// Starts `behalf serve` with these settings and waits for nothing.
    pub(super) fn spawn(settings: &[(&str, String)], state_dir: &Path) -> anyhow::Result<Self> {
        // Freed again and bound by the child; nothing else on this machine asks for ports by number.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.arg("serve");
        // None of what is set for this program itself.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("BEHALF_")) {
                command.env_remove(name);
            }
        }
        command.env("BEHALF_BIND", address.to_string()).env("BEHALF_STATE_DIR", state_dir);
        for (name, value) in settings {
            command.env(format!("BEHALF_{name}"), value);
        }
        command.current_dir(state_dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().context("cannot start a host")?;
        let pid = child.id().context("the host ended at once")?;
        let log = tokio::spawn(last_words(child.stderr.take().context("no log")?));
        Ok(Self { child, pid, log, address })
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let (url, until) = (format!("http://{}/readyz", self.address), Instant::now() + PATIENCE);
        while Instant::now() < until {
            self.check().await?;
            if reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the host does not serve within {} seconds", PATIENCE.as_secs())
    }

    /// Fails, with the end of its log, where the host has ended.
    pub(super) async fn check(&mut self) -> anyhow::Result<()> {
        if self.is_running()? {
            return Ok(());
        }
        let said = (&mut self.log).await.unwrap_or_default();
        bail!("the host ended: {}", said.trim())
    }

    /// Memory that the process holds, in KiB.
    pub(super) fn resident_kib(&self) -> anyhow::Result<u64> {
        resident_kib(self.pid)
    }

    /// Processor time that the process has used so far.
    pub(super) fn processor_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).context("this needs Linux's /proc")?;
        // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th field behind it.
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let ticks: Vec<f64> =
            fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        ensure!(ticks.len() == 2, "no times");
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
    }

    /// Whether the process has not ended.
    pub(super) fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot stop the host")
    }
}

/// Memory that a process holds, in KiB.
pub(super) fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("this needs Linux's /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Reads a log to its end, and returns the last part of it.
async fn last_words(mut log: ChildStderr) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; LAST_WORDS]);
    while let Ok(count @ 1..) = log.read(&mut piece).await {
        said.extend_from_slice(&piece[..count]);
        said.drain(..said.len().saturating_sub(LAST_WORDS));
    }
    String::from_utf8_lossy(&said).into_owned()
}
