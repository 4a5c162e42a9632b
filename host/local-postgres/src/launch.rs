//! Starts the server process and waits until it accepts connections.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Child;

use super::StartError;
use super::layout::Layout;
use super::postmaster::Postmaster;
use super::programs::Programs;

/// The longest wait for a server to start; recovery after a crash takes time.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The most attempts to start, if the cause may end by itself: a port in use, or processes of a killed server.
const ATTEMPTS: u32 = 20;

/// Server settings for development: as safe as the defaults, with a short log. Statements are not logged, as they
/// contain users' data. Changes of tables can be read from the log; slots that a killed host left behind keep a bounded part of it.
const SETTINGS: [(&str, &str); 14] = [
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "200"),
    ("shared_buffers", "128MB"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("wal_level", "logical"),
    ("max_replication_slots", "40"),
    ("max_wal_senders", "40"),
    ("max_slot_wal_keep_size", "1GB"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_checkpoints", "off"),
    ("log_min_error_statement", "panic"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
];

/// The settings of this crate, followed by the caller's, as arguments; a later one overrides an earlier one.
pub(super) fn arguments(extra: &[(String, String)]) -> Vec<String> {
    let ours = SETTINGS.iter().map(|(name, value)| format!("{name}={value}"));
    ours.chain(extra.iter().map(|(name, value)| format!("{name}={value}"))).collect()
}

/// Starts the server on the first free port of `wishes`, or else on any, and returns the port.
pub(super) async fn launch(
    layout: &Layout,
    programs: &Programs,
    settings: &[String],
    wishes: &[u16],
) -> Result<u16, StartError> {
    let log = layout.log();
    let mut attempt = 1;
    loop {
        let port = free_port(wishes).map_err(StartError::file(&layout.port()))?;
        let (_, before) = log.open()?;
        let mut server = spawn(layout, programs, settings, port)?;
        let Err(reason) = ready(layout, &mut server).await else {
            return Ok(port);
        };
        let tail = log.tail(before);
        let may_pass = tail.contains("Address already in use") || tail.contains("is still in use");
        if !may_pass || attempt == ATTEMPTS {
            return Err(StartError::Server { reason, log: log.path().to_path_buf(), tail });
        }
        attempt += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A free port of the loopback address.
fn free_port(wishes: &[u16]) -> std::io::Result<u16> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr().map(|address| address.port());
    if let Some(port) = wishes.iter().find_map(|wish| free(*wish).ok()) {
        return Ok(port);
    }
    free(0)
}

/// Starts the process. It uses no shell and no `pg_ctl start`, so paths and settings need no quoting.
fn spawn(layout: &Layout, programs: &Programs, settings: &[String], port: u16) -> Result<Child, StartError> {
    let (log, _) = layout.log().open()?;
    let mut sockets = OsString::from("unix_socket_directories=\"");
    // Quotes are doubled, because the value is a list of quoted names.
    sockets.push(layout.make_socket_dir()?.to_string_lossy().replace('"', "\"\""));
    sockets.push("\"");
    let mut command = programs.command("postgres");
    command.arg("-D").arg(layout.data()).arg("-c").arg(format!("port={port}")).arg("-c").arg(sockets);
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    if let Some(stale) = Postmaster::recorded(&layout.data()) {
        // The caller has checked that the process with this id is no server of this cluster. With this variable
        // Postgres ignores that process and checks only whether the shared memory is in use.
        command.env("PG_GRANDPARENT_PID", stale.pid.to_string());
    }
    let errors = log.try_clone().map_err(StartError::file(layout.log().path()))?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    // A process group of its own, so that Ctrl-C reaches only the host, which then stops the server.
    command.process_group(0).kill_on_drop(false).spawn().map_err(programs.failed("postgres"))
}

/// Waits until the server's pid file says that it is ready.
async fn ready(layout: &Layout, server: &mut Child) -> Result<(), String> {
    let pid = server.id();
    let since = Instant::now();
    loop {
        if let Ok(Some(status)) = server.try_wait() {
            return Err(format!("it ended with {status}"));
        }
        if Postmaster::recorded(&layout.data()).is_some_and(|found| found.ready && Some(found.pid) == pid) {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("it was not ready after {} s", PATIENCE.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
