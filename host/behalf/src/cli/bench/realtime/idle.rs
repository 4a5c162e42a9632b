//! What a socket holds that says nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::bed::Bed;
use super::socket::Client;

/// Sockets that are opened at once.
const AT_ONCE: usize = 16;

/// Topics of public channels; each has some of the sockets.
const TOPICS: u32 = 1_000;

/// Sockets whose channels a host opened before anything is counted: what it needs once for all is there then.
const FIRST: u32 = 50;

/// Until a host has given back what joining took.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) async fn measure(bed: &Bed, sockets: u32, bar: &ProgressBar) -> anyhow::Result<Value> {
    // One descriptor for each end of a connection in two processes, and some more.
    let files = rlimit::increase_nofile_limit(u64::from(sockets) + 1_000)?;
    ensure!(files >= u64::from(sockets) + 500, "the system allows {files} open files only");
    bar.set_message("starting the host");
    let host = bed.host("idle").await?;
    let first = open(bed, host.address, FIRST).await?;
    let before = host.resident_kib()?;
    bar.set_message("opening sockets");
    let began = Instant::now();
    let mut held = open(bed, host.address, sockets).await?;
    let opening = began.elapsed();
    tokio::time::sleep(SETTLE).await;
    let after = host.resident_kib()?;
    // Each still answers.
    for client in held.iter_mut().step_by(97) {
        client.send(r#"[null,"2","phoenix","heartbeat",{}]"#).await?;
        client.wait_for(b"\"phx_reply\"").await.context("a socket was closed while it waited")?;
    }
    drop((first, held));
    host.stop().await?;
    let grown = f64::from(u32::try_from(after)?) - f64::from(u32::try_from(before)?);
    Ok(json!({
        "sockets": sockets, "channels_each": 1, "topics": TOPICS.min(sockets),
        "sockets_opened_and_joined_per_second": f64::from(sockets) / opening.as_secs_f64(),
        "resident_kib_before": before, "resident_kib_after": after, "kib_per_socket": grown / f64::from(sockets),
    }))
}

async fn open(bed: &Bed, host: std::net::SocketAddr, sockets: u32) -> anyhow::Result<Vec<Client>> {
    let config =
        json!({ "private": false, "broadcast": { "self": false, "ack": false }, "presence": { "enabled": false } });
    let one = |number: u32| {
        let config = &config;
        async move {
            let mut client = Client::of_host(host, &bed.anon_key).await?;
            client.join(&format!("room:{}", number % TOPICS), config, None).await?;
            anyhow::Ok(client)
        }
    };
    futures::stream::iter((0..sockets).map(one)).buffer_unordered(AT_ONCE).try_collect().await
}
