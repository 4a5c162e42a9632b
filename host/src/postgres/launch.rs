//! Starting the server process and waiting until it takes connections.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Child;

use super::StartError;
use super::place::Place;
use super::postmaster::Postmaster;
use super::programs::Programs;

/// Recovery after a crash may take this long.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often a start is repeated when something may free itself: a port just taken, processes of a killed server.
const ATTEMPTS: u32 = 20;

/// For development: as safe as the defaults, and quiet. Statements are kept out of the log, as they hold users' data.
const SETTINGS: [(&str, &str); 10] = [
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "200"),
    ("shared_buffers", "128MB"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_checkpoints", "off"),
    ("log_min_error_statement", "panic"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
];

/// Our settings and then the caller's, as arguments; a later one wins.
pub(super) fn arguments(extra: &[(String, String)]) -> Vec<String> {
    let ours = SETTINGS.iter().map(|(name, value)| format!("{name}={value}"));
    ours.chain(extra.iter().map(|(name, value)| format!("{name}={value}"))).collect()
}

/// Starts the server on the first free port of `wishes`, else on any, and returns the port.
pub(super) async fn launch(
    place: &Place,
    programs: &Programs,
    settings: &[String],
    wishes: &[u16],
) -> Result<u16, StartError> {
    let log = place.log();
    let mut attempt = 1;
    loop {
        let port = free_port(wishes).map_err(StartError::file(&place.port()))?;
        let (_, before) = log.open()?;
        let mut server = spawn(place, programs, settings, port)?;
        let Err(reason) = ready(place, &mut server).await else {
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

/// A port on the loopback address that nobody listens on.
fn free_port(wishes: &[u16]) -> std::io::Result<u16> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr().map(|address| address.port());
    if let Some(port) = wishes.iter().find_map(|wish| free(*wish).ok()) {
        return Ok(port);
    }
    free(0)
}

/// No shell and no `pg_ctl start`, so paths and settings need no quoting.
fn spawn(place: &Place, programs: &Programs, settings: &[String], port: u16) -> Result<Child, StartError> {
    let (log, _) = place.log().open()?;
    let mut sockets = OsString::from("unix_socket_directories=\"");
    // Doubled, because the value is a list of quoted names.
    sockets.push(place.socket()?.to_string_lossy().replace('"', "\"\""));
    sockets.push("\"");
    let mut command = programs.command("postgres");
    command.arg("-D").arg(place.data()).arg("-c").arg(format!("port={port}")).arg("-c").arg(sockets);
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    if let Some(stale) = Postmaster::recorded(&place.data()) {
        // The process that has this id now is not a server of this cluster, or we would not be here. Told so, Postgres
        // goes by whether its shared memory is in use, the check that counts.
        command.env("PG_GRANDPARENT_PID", stale.pid.to_string());
    }
    let errors = log.try_clone().map_err(StartError::file(place.log().path()))?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    // A group of its own: Ctrl-C is for the host, which then stops the server in order.
    command.process_group(0).kill_on_drop(false).spawn().map_err(programs.failed("postgres"))
}

/// Waits until the server says in its pid file that it is ready.
async fn ready(place: &Place, server: &mut Child) -> Result<(), String> {
    let pid = server.id();
    let since = Instant::now();
    loop {
        if let Ok(Some(status)) = server.try_wait() {
            return Err(format!("it ended with {status}"));
        }
        if Postmaster::recorded(&place.data()).is_some_and(|found| found.ready && Some(found.pid) == pid) {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err(format!("it was not ready after {} s", PATIENCE.as_secs()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
