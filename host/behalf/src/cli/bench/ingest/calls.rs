//! Calls of a tool beside other work: a steady number, so that their times tell what they wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::time::MissedTickBehavior;

use super::super::load::{Connection, is_success, tool_call};
use super::super::summary::Summary;
use super::stage::{Stage, Target};

/// Connections that call.
const CONNECTIONS: u32 = 4;
/// Time between two calls of one connection.
const PACE: Duration = Duration::from_millis(20);
/// How often memory is read.
const SAMPLE: Duration = Duration::from_millis(50);

/// What was measured beside some work.
pub(super) struct Beside<T> {
    pub(super) result: T,
    pub(super) calls: Summary,
    /// The most memory that the host held, in KiB.
    pub(super) peak_kib: u64,
}

/// Does the work, and calls a tool until it is done. The host is the same one all the time.
pub(super) async fn meanwhile<T>(
    stage: &Stage,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Beside<T>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (target, is_over) = (stage.target(), Arc::clone(&stop));
    let calling = tokio::task::spawn_blocking(move || {
        // A thread of its own: what the client does must not wait for what is measured.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(call(&target, &is_over))
    });
    let (mut peak_kib, mut ask) = (stage.resident_kib()?, tokio::time::interval(SAMPLE));
    let mut work = std::pin::pin!(work);
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = ask.tick() => peak_kib = peak_kib.max(stage.resident_kib()?),
        }
    };
    stop.store(true, Ordering::Relaxed);
    let calls = calling.await??;
    Ok(Beside { result: result?, calls, peak_kib })
}

/// Calls a tool for so long, while nothing else is done.
pub(super) async fn alone(stage: &Stage, time: Duration) -> anyhow::Result<Beside<()>> {
    meanwhile(stage, async {
        tokio::time::sleep(time).await;
        Ok(())
    })
    .await
}

/// Looks up rows until it is over.
async fn call(target: &Target, is_over: &AtomicBool) -> anyhow::Result<Summary> {
    let began = Instant::now();
    let callers = (0..CONNECTIONS).map(async |caller| {
        let token = target.tokens.get(usize::try_from(caller)?).context("no user")?;
        let body = r#"{"arguments":{"query":"select id, title from items where id = 7"}}"#;
        let request = tool_call(&target.anon_key, token, "database_query", body);
        let mut connection = Connection::open(target.address()).await?;
        let first = tokio::time::Instant::now() + PACE * caller / CONNECTIONS;
        let (mut pace, mut times) = (tokio::time::interval_at(first, PACE), Vec::new());
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !is_over.load(Ordering::Relaxed) {
            pace.tick().await;
            let sent = Instant::now();
            let answer = connection.send(&request).await?;
            times.push(sent.elapsed());
            ensure!(is_success(answer), "an unexpected answer: {}", String::from_utf8_lossy(answer));
        }
        anyhow::Ok(times)
    });
    let times = futures::future::try_join_all(callers).await?;
    Ok(Summary::of_times(times.concat(), began.elapsed()))
}
