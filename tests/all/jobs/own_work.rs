//! Work of the host's own: once in its period, at one host of all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use behalf_tests::eventually;

use super::bed::{Bed, Host, options};

const KIND: &str = "tests.own";

/// Hosts that count how often they did the work together. It fails where `fails`.
async fn host(bed: &Bed, period: Duration, counted: &Arc<AtomicU32>, fails: bool) -> Host {
    let counted = Arc::clone(counted);
    Host::with(bed, options(), 2, move |workers| {
        workers.every(KIND, period, move || {
            let counted = Arc::clone(&counted);
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                if fails { Err(std::io::Error::other("it fails")) } else { Ok(()) }
            }
        });
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_hosts_one_does_the_hosts_own_work_and_the_times_outlive_them() {
    let bed = Bed::new().await;
    let done = Arc::new(AtomicU32::new(0));
    let hour = Duration::from_hours(1);
    let mut hosts = Vec::new();
    for _ in 0..3 {
        hosts.push(host(&bed, hour, &done, false).await);
    }
    eventually("it is done at once", async || done.load(Ordering::SeqCst) == 1).await;
    let looked = "select count(*) from behalf.jobs where lane = 'host'";
    eventually("nothing of it is left", async || bed.count(looked).await == 0).await;
    hosts.clear();
    // Its next time is kept, so hosts that start later do not do it again.
    hosts.push(host(&bed, hour, &done, false).await);
    hosts.push(host(&bed, hour, &done, false).await);
    let due = "update behalf.schedules set next_at = now() where kind = 'tests.own'";
    for times in 2..=4 {
        assert_eq!(done.load(Ordering::SeqCst), times - 1);
        bed.database.execute(due).await;
        eventually("it is done again", async || done.load(Ordering::SeqCst) == times).await;
    }
    // A shorter period counts from now on.
    drop(hosts);
    let _host = host(&bed, Duration::from_millis(300), &done, false).await;
    eventually("it is done again and again", async || done.load(Ordering::SeqCst) >= 7).await;
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_work_that_fails_is_tried_again_and_leaves_its_last_failure_only() {
    let bed = Bed::new().await;
    let tried = Arc::new(AtomicU32::new(0));
    let _host = host(&bed, Duration::from_hours(1), &tried, true).await;
    let now = "update behalf.jobs set run_at = now() where state = 'delayed'";
    let due = "update behalf.schedules set next_at = now() where kind = 'tests.own'";
    let dead = "select count(*) from behalf.jobs where kind = 'tests.own' and state = 'dead'";
    let ids = "select string_agg(id::text, ',') from behalf.jobs where kind = 'tests.own' and state = 'dead'";
    let mut last = String::new();
    for round in 1..=3_u32 {
        eventually("it has failed for good", async || {
            bed.database.execute(now).await;
            let id: Option<String> = bed.database.value(ids).await;
            tried.load(Ordering::SeqCst) == 3 * round && id.is_some_and(|id| id != last)
        })
        .await;
        assert_eq!(bed.count(dead).await, 1);
        last = bed.database.value(ids).await;
        bed.database.execute(due).await;
    }
}
