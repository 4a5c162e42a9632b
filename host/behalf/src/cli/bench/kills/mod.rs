//! Hosts and the database are killed again and again while clients let tools write: what was done twice, what is missing although its
//! client was told that it was done, and of what nobody can say.
//!
//! Every operation has a key of its own, which its tools write to a table without any constraint and send to a server. In the end both
//! are counted.

mod clients;
mod marks;
mod outside;
mod stage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::killed_postgres::is_of_postgres;
use clients::{Client, Kind};
use marks::Marks;
use outside::Outside;
use stage::Stage;

/// How long after a kill clients go on with both hosts and the database there, before the next.
const BETWEEN: Duration = Duration::from_secs(4);

/// How long unfinished runs may take to end after the last kill.
const SETTLING: Duration = Duration::from_mins(3);

/// `behalf bench kills`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct KillsArgs {
    /// How often a host is killed; there are two, which are killed in turn.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(0..=1_000))]
    kills: u16,
    /// How often the database is killed.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(0..=1_000))]
    postgres_kills: u16,
    /// Clients of each kind: direct calls, runs, and `OpenAI`'s clients with and without a key.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=50))]
    clients: u16,
}

pub(super) async fn measure(args: &KillsArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("starting two hosts");
    let outside = Outside::start().await?;
    let mut stage = Stage::start(&outside.address).await?;
    let agent = stage.prepare(&outside.address).await?;
    let marks = Arc::new(Marks::default());
    let (stop, stopped) = watch::channel(false);
    let mut busy = tokio::task::JoinSet::new();
    for number in 0..args.clients {
        for kind in Kind::ALL {
            let client = Client::new(kind, usize::from(number), &stage, &agent, Arc::clone(&marks))?;
            busy.spawn(client.work(stopped.clone()));
        }
    }
    let (began, all) = (Instant::now(), args.kills + args.postgres_kills);
    bar.set_length(all.into());
    let mut of_hosts = 0_usize;
    for number in 0..all {
        tokio::time::sleep(BETWEEN).await;
        if is_of_postgres(number.into(), all.into(), args.postgres_kills.into()) {
            stage.kill_postgres().await.context("killing Postgres")?;
        } else {
            stage.kill_host(of_hosts).await.context("killing a host")?;
            of_hosts += 1;
        }
        bar.inc(1);
        bar.set_message(format!("{} operations", marks.len()));
    }
    tokio::time::sleep(BETWEEN).await;
    stop.send_replace(true);
    while let Some(ended) = busy.join_next().await {
        ended.context("a client stopped")??;
    }
    bar.set_message("waiting for runs to end");
    stage.settled(SETTLING).await?;
    let report = marks.report(&stage.rows().await?, &outside.calls());
    let version = stage.version();
    stage.clear().await?;
    let mut whole = json!({
        "kills": args.kills, "postgres_kills": args.postgres_kills, "hosts": 2, "clients_of_each_kind": args.clients,
        "postgres": version, "seconds": began.elapsed().as_secs(),
    });
    if let (Value::Object(whole), Value::Object(report)) = (&mut whole, report) {
        whole.extend(report);
    }
    Ok(whole)
}

/// An error where something was done twice, or is missing.
pub(super) fn judge(report: &Value) -> anyhow::Result<()> {
    let count = |field: &str| report[field].as_u64().with_context(|| format!("no {field}"));
    let (doubles, lost) = (count("doubles")?, count("lost")?);
    ensure!(
        doubles == 0 && lost == 0,
        "{doubles} operations were done twice, and {lost} are missing that were told to be done"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_good_where_nothing_was_done_twice_or_is_missing() {
        assert!(judge(&json!({ "doubles": 0, "lost": 0 })).is_ok());
        for bad in [(1, 0), (0, 1)] {
            assert!(judge(&json!({ "doubles": bad.0, "lost": bad.1 })).is_err());
        }
        assert!(judge(&json!({})).is_err());
    }
}
