//! Hosts that die, hang and stop, and a database that goes away: nothing is lost, and no effect is stored twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use behalf_queue::{Failure, LaneOptions, NewJob, Stop, WorkerOptions};
use behalf_tests::{ALICE, BOB, KillableServer, SECRET, TestDatabase, User, eventually};
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::bed::{Bed, Host, LANE, Work, effect, job, options};

const MANY: i64 = 300;
const SOME: i64 = 200;

/// Work that begins and never ends. What it sends says so.
fn endless() -> (Work, mpsc::UnboundedReceiver<u32>) {
    let (began, attempts) = mpsc::unbounded_channel();
    let work = Work::new(move |job| {
        let began = began.clone();
        Box::pin(async move {
            began.send(job.attempt).map_err(Failure::retry)?;
            std::future::pending().await
        })
    });
    (work, attempts)
}

fn short_lease() -> WorkerOptions {
    WorkerOptions { lease: Duration::from_millis(600), ..options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_a_host_that_dies_is_done_by_another() {
    let bed = Bed::new().await;
    let (work, mut attempts) = endless();
    let first = Host::with(&bed, short_lease(), 2, |workers| workers.handle(work)).await;
    let id = bed.add(&User::Is(ALICE), json!({})).await;
    assert_eq!(attempts.recv().await, Some(1));
    first.kill();
    let _second = Host::with(&bed, short_lease(), 2, |workers| {
        workers.handle(Work::new(|job| Box::pin(async move { effect(job, &job.attempt.to_string()).await })));
    })
    .await;
    eventually("another host does it", async || bed.effects().await == 1).await;
    let effect: String = bed.database.value("select concat_ws(' ', job, who, note) from behalf.effects").await;
    assert_eq!(effect, format!("{id} {ALICE} 2"));
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_and_goes_on_can_store_nothing_more() {
    let bed = Bed::new().await;
    let (went_on, release) = std::sync::mpsc::channel::<()>();
    let (release, (told, mut results)) = (Mutex::new(release), mpsc::unbounded_channel());
    let hangs = Work::new(move |job| {
        // The host's only thread stands still: it renews no lease and hears of nothing.
        told.send("began".to_owned()).expect("the test listens");
        release.lock().expect("nobody panicked").recv().expect("the test lets it go on");
        let told = told.clone();
        Box::pin(async move {
            let tx = job.begin().await?;
            let saved = job.save(tx).await;
            let result = effect(job, "the host that hung").await;
            told.send(format!("{saved:?} {result:?}")).expect("the test listens");
            result
        })
    });
    let _first = Host::with(&bed, short_lease(), 1, |workers| workers.handle(hangs)).await;
    let id = bed.add(&User::Is(ALICE), json!({})).await;
    assert_eq!(results.recv().await.as_deref(), Some("began"));
    let _second = Host::with(&bed, short_lease(), 2, |workers| workers.handle(Work::effects("the other host"))).await;
    eventually("another host does it", async || bed.effects().await == 1).await;
    went_on.send(()).unwrap();
    assert_eq!(results.recv().await.as_deref(), Some("Err(Stopped) Err(Stopped)"));
    assert_eq!(
        bed.database.value::<String>("select string_agg(note, ',') from behalf.effects").await,
        "the other host"
    );
    assert_eq!(bed.of_job(id, "state").await, "gone");
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_learns_that_it_lost_its_job() {
    let bed = Bed::new().await;
    let (told, mut stops) = mpsc::unbounded_channel();
    let waits = Work::new(move |job| {
        let told = told.clone();
        Box::pin(async move {
            told.send(None).map_err(Failure::retry)?;
            told.send(Some(job.stopped().await)).map_err(Failure::retry)?;
            assert!(job.stop_token().is_cancelled());
            Err(Failure::Stopped)
        })
    });
    let _host = Host::start(&bed, waits).await;
    let id = bed.add(&User::Is(ALICE), json!({})).await;
    assert_eq!(stops.recv().await, Some(None));
    let other = Uuid::new_v4();
    bed.database
        .execute(&format!("update behalf.jobs set epoch = epoch + 1, host_id = '{other}', leased_until = now() + interval '1 hour' where id = '{id}'"))
        .await;
    assert_eq!(stops.recv().await, Some(Some(Stop::Lost)));
    assert_eq!(bed.of_job(id, "host_id").await, other.to_string());
    assert_eq!(bed.ending(id).await, "untold");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ends_its_hosts_is_given_up() {
    let bed = Bed::new().await;
    let id = bed.add(&User::Is(ALICE), json!({})).await;
    for attempt in 1..=3 {
        let (work, mut attempts) = endless();
        let host = Host::with(&bed, short_lease(), 2, |workers| workers.handle(work)).await;
        assert_eq!(attempts.recv().await, Some(attempt));
        host.kill();
    }
    let _host = Host::with(&bed, short_lease(), 2, |workers| workers.handle(Work::effects("done"))).await;
    bed.is_soon(id, "dead").await;
    assert_eq!(bed.of_job(id, "error_code").await, "host_lost");
    assert_eq!((bed.ending(id).await, bed.effects().await), (format!("{ALICE} authenticated host_lost f"), 0));
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_gives_its_jobs_back_and_the_attempts_do_not_count() {
    let bed = Bed::new().await;
    let (work, mut attempts) = endless();
    let host = Host::start(&bed, work).await;
    let deaf = bed.add(&User::Is(ALICE), json!({})).await;
    assert_eq!(attempts.recv().await, Some(1));
    host.stop().await;
    assert_eq!((bed.of_job(deaf, "state").await.as_str(), bed.of_job(deaf, "attempts").await.as_str()), ("ready", "0"));
    drop(host);
    // One that hears of the stop may still end in time.
    let polite = Work::new(|job| {
        Box::pin(async move {
            assert_eq!(job.stopped().await, Stop::HostStops);
            effect(job, "in time").await
        })
    });
    let host = Host::start(&bed, polite).await;
    eventually("it began again", async || bed.of_job(deaf, "state").await == "running").await;
    host.stop().await;
    assert_eq!((bed.effects().await, bed.of_job(deaf, "state").await.as_str()), (1, "gone"));
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hosts_that_die_again_and_again_store_each_effect_once() {
    let bed = Bed::new().await;
    for user in [ALICE, BOB] {
        let principal = bed.principal(&User::Is(user)).await;
        let mut tx = bed.db.begin(&principal).await.unwrap();
        for _ in 0..MANY / 2 {
            bed.queue.add(&mut tx, &principal, &NewJob { max_attempts: 100, ..job() }).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let lanes = vec![LaneOptions { name: LANE, places: 8, per_owner: 8 }];
    let options = WorkerOptions { lanes, ..short_lease() };
    let slow = || {
        Work::new(|job| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                effect(job, "done").await
            })
        })
    };
    let mut rounds = 0_i64;
    while bed.effects().await < MANY {
        let before = bed.effects().await;
        let hosts = [(); 2].map(|()| slow());
        let mut running = Vec::new();
        for work in hosts {
            running.push(Host::with(&bed, options.clone(), 2, |workers| workers.handle(work)).await);
        }
        let enough = (before + 60).min(MANY);
        eventually("some are done", async || bed.effects().await >= enough).await;
        running.into_iter().for_each(Host::kill);
        rounds += 1;
        assert!(rounds < 20, "the hosts make no progress");
    }
    assert!(rounds > 2, "hosts died in between");
    assert_eq!(bed.count("select count(distinct job) from behalf.effects").await, MANY);
    assert_eq!(bed.effects().await, MANY);
    assert_eq!(bed.count("select count(*) from behalf.jobs where lane = 'tests'").await, 0);
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_comes_back_costs_no_job_and_doubles_no_effect() {
    let mut server = KillableServer::start().await;
    let bed = Bed::on(TestDatabase::create_on(&server.owner_url()).await, SECRET).await;
    let done = Arc::new(AtomicUsize::new(0));
    let work = |done: &Arc<AtomicUsize>| {
        let done = Arc::clone(done);
        Work::new(move |job| {
            let done = Arc::clone(&done);
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let result = effect(job, "done").await;
                done.fetch_add(usize::from(result.is_ok()), Ordering::SeqCst);
                result
            })
        })
    };
    let principal = bed.principal(&User::Is(ALICE)).await;
    let mut tx = bed.db.begin(&principal).await.unwrap();
    for _ in 0..SOME {
        bed.queue.add(&mut tx, &principal, &NewJob { max_attempts: 5, ..job() }).await.unwrap();
    }
    tx.commit().await.unwrap();
    let (one, other) = (work(&done), work(&done));
    let _one = Host::with(&bed, short_lease(), 2, |workers| workers.handle(one)).await;
    let _other = Host::with(&bed, short_lease(), 2, |workers| workers.handle(other)).await;
    for part in 1..=3 {
        eventually("some are done", async || done.load(Ordering::SeqCst) > part * 40).await;
        server = server.kill().await;
    }
    // Looked at by connections of the test's own: the server may still be starting.
    let url = bed.database.owner_url();
    let ask = async |sql: &'static str| -> i64 {
        use sqlx::Connection;
        let Ok(mut conn) = sqlx::PgConnection::connect(&url).await else { return -1 };
        sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap_or(-1)
    };
    eventually("none waits", async || ask("select count(*) from behalf.jobs where lane = 'tests'").await == 0).await;
    assert_eq!(ask("select count(*) from behalf.effects").await, SOME);
    assert_eq!(ask("select count(distinct job) from behalf.effects").await, SOME);
    bed.counts_are_true().await;
    server.discard().await;
}
