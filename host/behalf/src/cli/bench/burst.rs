//! Memory of a host before, during and after many large answers at once.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use futures::future::try_join_all;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::host::HostProcess;
use super::load::{Connection, is_success, tool_call};
use super::test_bed::{Scene, TestBed};

/// Moments after the burst at which memory is read, in seconds.
const AFTERWARDS: [u64; 4] = [1, 5, 15, 60];

/// `behalf bench burst`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct BurstArgs {
    /// Answers at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
    /// Answers of each connection, one after the other.
    #[arg(long, default_value_t = 5)]
    answers: u16,
    /// Bytes of each answer.
    #[arg(long, default_value_t = 900_000)]
    bytes: u32,
}

pub(super) async fn measure(args: &BurstArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_length(3 + AFTERWARDS.len() as u64);
    bar.set_message("preparing a database");
    let bed = TestBed::prepare(&Scene::items(1), 16).await?;
    let host = bed.process().await?;
    bar.inc(1);
    let report = on(&bed, &host, args, bar).await;
    host.stop().await?;
    bed.clear().await?;
    report
}

async fn on(bed: &TestBed, host: &HostProcess, args: &BurstArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    let statement = format!("select repeat('x', {}) as text", args.bytes);
    let large = tool_call(
        &bed.anon_key,
        &bed.token,
        "database_query",
        &json!({ "arguments": { "query": statement } }).to_string(),
    );
    let small = tool_call(&bed.anon_key, &bed.token, "database_query", r#"{"arguments":{"query":"select 1 as one"}}"#);
    // The first calls compile and fill what stays.
    burst(host.address, &small, args.connections, 20).await?;
    let before = host.resident_kib()?;
    bar.inc(1);
    bar.set_message("large answers");
    let (mut peak, mut ask) = (before, tokio::time::interval(Duration::from_millis(20)));
    let mut sending = std::pin::pin!(burst(host.address, &large, args.connections, args.answers));
    loop {
        tokio::select! {
            sent = &mut sending => break sent?,
            _ = ask.tick() => peak = peak.max(host.resident_kib()?),
        }
    }
    bar.inc(1);
    let (mut report, mut waited) = (json!({ "before_kib": before, "peak_kib": peak, "after_kib": {} }), 0);
    for second in AFTERWARDS {
        bar.set_message(format!("{second} seconds later"));
        tokio::time::sleep(Duration::from_secs(second - waited)).await;
        waited = second;
        report["after_kib"][second.to_string()] = json!(host.resident_kib()?);
        bar.inc(1);
    }
    for (name, value) in [("connections", args.connections), ("answers", args.answers)] {
        report[name] = json!(value);
    }
    report["bytes"] = json!(args.bytes);
    Ok(report)
}

/// Sends one request over and over on so many connections, and closes them.
async fn burst(address: SocketAddr, request: &[u8], connections: u16, answers: u16) -> anyhow::Result<()> {
    let clients = (0..connections).map(|_| async move {
        let mut connection = Connection::open(address).await?;
        for _ in 0..answers {
            let answer = connection.send(request).await?;
            ensure!(is_success(answer), "an unexpected answer: {}", String::from_utf8_lossy(answer));
        }
        Ok(())
    });
    try_join_all(clients).await.map(|_| ())
}
