//! Checks whether a running server belongs to this cluster.

use std::path::Path;

use super::log::last_lines;
use super::programs::Programs;
use super::{DATABASE, OWNER};

/// Logs in with the cluster's password and checks that the server serves `data`. The error is the output of `psql`.
pub(super) async fn answers(programs: &Programs, port: u16, password: &str, data: &Path) -> Result<(), String> {
    let output = programs
        .command("psql")
        .args(["-X", "-w", "-t", "-A", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", OWNER, "-d", DATABASE])
        .args(["-c", "show data_directory"])
        .env("PGPASSWORD", password)
        .env("PGCONNECT_TIMEOUT", "5")
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(last_lines(&output.stderr));
    }
    let served = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if served == data.to_string_lossy() { Ok(()) } else { Err(format!("port {port} serves {served}")) }
}
