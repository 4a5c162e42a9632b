//! The floor: the same transaction, sent by pgbench.

use anyhow::{Context, ensure};

use super::summary::Summary;
use super::test_bed::{ROWS, TestBed};

/// What a bound transaction costs without a host: the statements the host sends, from pgbench, over TCP as the same login.
pub(super) async fn pgbench(bed: &TestBed, connections: u16, seconds: u16) -> anyhow::Result<Summary> {
    let dir = tempfile::tempdir()?;
    let script = dir.path().join("lookup.sql");
    let text = format!(
        "\\set n random(0, {last})\n\\set id :n * 100 + 7\nBEGIN TRANSACTION READ ONLY;\nSET LOCAL ROLE authenticated;\n\
         SET LOCAL request.jwt.claims = '{{\"aud\":\"authenticated\",\"role\":\"authenticated\",\"sub\":\"{user}\"}}';\n\
         select id, title from items where id = :id;\nCOMMIT;\n",
        last = ROWS / 100 - 1,
        user = bed.user,
    );
    std::fs::write(&script, text)?;
    let port = bed.postgres().port().to_string();
    let (clients, time) = (connections.to_string(), seconds.to_string());
    let threads = connections.min(2).to_string();
    let output = tokio::process::Command::new(bed.postgres().bin_dir().join("pgbench"))
        .args(["-h", "127.0.0.1", "-p", &port, "-U", "behalf_tool_authenticated"])
        .args(["-n", "-M", "prepared", "-c", &clients, "-j", &threads, "-T", &time, "-l", "--log-prefix", "log"])
        .arg("-f")
        .arg(&script)
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
    let mut times = Vec::new();
    for entry in std::fs::read_dir(dir.path())? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
            let log = std::fs::read_to_string(&path)?;
            // The third column of pgbench's log is a transaction's time in microseconds.
            let micros = log.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
            times.extend(micros.map(std::time::Duration::from_micros));
        }
    }
    let wall = std::time::Duration::from_secs(u64::from(seconds));
    Ok(Summary { per_second, ..Summary::of_times(times, wall) })
}
