//! The floor: the same transactions, sent by pgbench.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::summary::Summary;
use super::test_bed::{Caller, NEW_TITLE, OWNERS, ROWS, TestBed};

/// The most scripts that pgbench takes (`MAX_SCRIPTS` in its source).
const MAX_SCRIPTS: usize = 128;

/// How pgbench reaches the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transport {
    /// 127.0.0.1.
    Tcp,
    /// The server's Unix socket.
    Socket,
}

/// What the transaction does with one row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Statement {
    /// Reads it.
    Select,
    /// Changes it.
    Update,
}

impl Statement {
    fn access(self) -> &'static str {
        match self {
            Self::Select => "READ ONLY",
            Self::Update => "READ WRITE",
        }
    }

    fn text(self) -> String {
        match self {
            Self::Select => "select id, title from items where id = :id".to_owned(),
            Self::Update => format!("update items set title = '{NEW_TITLE}' where id = :id"),
        }
    }
}

/// What a bound transaction costs without a host: the statements the host sends, from pgbench, as the same login.
pub(super) async fn pgbench(
    bed: &TestBed,
    connections: u16,
    seconds: u16,
    transport: Transport,
    statement: Statement,
) -> anyhow::Result<Summary> {
    let dir = tempfile::tempdir()?;
    let host = match transport {
        Transport::Tcp => OsString::from("127.0.0.1"),
        Transport::Socket => bed.postgres().socket_dir().into_os_string(),
    };
    let port = bed.postgres().port().to_string();
    let (clients, time) = (connections.to_string(), seconds.to_string());
    let threads = connections.min(2).to_string();
    let mut command = tokio::process::Command::new(bed.postgres().bin_dir().join("pgbench"));
    command.arg("-h").arg(host).args(["-p", &port, "-U", "behalf_tool_authenticated"]);
    command.args(["-n", "-M", "prepared", "-c", &clients, "-j", &threads, "-T", &time, "-l", "--log-prefix", "log"]);
    // Of several scripts, pgbench draws one for each transaction.
    for (number, caller) in bed.callers.iter().take(MAX_SCRIPTS).enumerate() {
        let file = dir.path().join(format!("script-{number}.sql"));
        std::fs::write(&file, script(caller, statement))?;
        command.arg("-f").arg(file);
    }
    let output = command
        .arg("behalf")
        .env("PGPASSWORD", &bed.password)
        .current_dir(dir.path())
        .output()
        .await
        .context("cannot run pgbench; it comes with Postgres (Debian: postgresql-contrib)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    let per_second = rate.context("pgbench printed no rate")?;
    let wall = Duration::from_secs(u64::from(seconds));
    Ok(Summary { per_second, ..Summary::of_times(logged_times(dir.path())?, wall) })
}

/// One caller's transaction on a row of theirs.
fn script(caller: &Caller, statement: Statement) -> String {
    format!(
        "\\set n random(0, {last})\n\\set id :n * {OWNERS} + {first}\nBEGIN TRANSACTION {access};\n\
         SET LOCAL ROLE authenticated;\n\
         SET LOCAL request.jwt.claims = '{{\"aud\":\"authenticated\",\"role\":\"authenticated\",\"sub\":\"{user}\"}}';\n\
         {text};\nCOMMIT;\n",
        last = ROWS / OWNERS - 1,
        first = caller.first_row,
        access = statement.access(),
        user = caller.user,
        text = statement.text(),
    )
}

/// The times of single transactions, from pgbench's logs.
fn logged_times(dir: &Path) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
            let log = std::fs::read_to_string(&path)?;
            // The third column of pgbench's log is a transaction's time in microseconds.
            let micros = log.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
            times.extend(micros.map(Duration::from_micros));
        }
    }
    Ok(times)
}
