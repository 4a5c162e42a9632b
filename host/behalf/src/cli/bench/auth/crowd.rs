//! A crowd that signs in at one moment, beside tool calls.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::host::resident_kib;
use super::super::load::{Connection, Load};
use super::super::summary::Summary;
use super::super::test_bed::TestBed;
use super::super::turns::TurnsArgs;
use super::{PASSWORD, address, sign_in};

/// Tool calls for a while without the crowd, and then with it. An answer 429 counts as given.
pub(super) async fn measure(bed: &TestBed, crowd: u16, turns: &TurnsArgs) -> anyhow::Result<Value> {
    let time = Duration::from_secs(u64::from(turns.seconds));
    let load = Load { connections: turns.connections, time };
    let quiet = load.lookups(bed).await?;
    let before = resident_kib(std::process::id())?;
    let (beside, answered) = tokio::join!(load.lookups(bed), together(bed, crowd, turns.connections));
    let (beside, (statuses, time, times)) = (beside?, answered?);
    Ok(json!({
        "sign_ins": crowd,
        "statuses": statuses,
        "s": time.as_secs_f64(),
        "answers": Summary::of_times(times, time),
        "tool_calls_before": quiet,
        "tool_calls_beside": beside,
        "p99_ratio": beside.p99_us / quiet.p99_us,
        // The load is sent from this process, so its memory is not the host's alone.
        "resident_kib_before": before,
        "resident_kib_after": resident_kib(std::process::id())?,
    }))
}

type Answered = (BTreeMap<u16, u32>, Duration, Vec<Duration>);

/// Sends all at once, each on a connection of its own, and counts the answers by status.
async fn together(bed: &TestBed, crowd: u16, users: u16) -> anyhow::Result<Answered> {
    let mut all = JoinSet::new();
    let begun = Instant::now();
    for number in 0..crowd {
        let (at, asked) = (bed.address, sign_in(bed, &address(number % users), PASSWORD));
        all.spawn(async move {
            let mut connection = Connection::open(at).await?;
            let started = Instant::now();
            let answer = connection.send(&asked).await?;
            let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            anyhow::Ok((status.context("no status")?, started.elapsed()))
        });
    }
    let (mut statuses, mut times) = (BTreeMap::<u16, u32>::new(), Vec::new());
    while let Some(one) = all.join_next().await {
        let (status, time) = one??;
        *statuses.entry(status).or_default() += 1;
        times.push(time);
    }
    Ok((statuses, begun.elapsed(), times))
}
