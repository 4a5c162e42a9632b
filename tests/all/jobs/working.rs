//! A job is done as the one who added it, and what becomes of an attempt that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use behalf_queue::{Failure, NewJob};
use behalf_tests::{ALICE, BOB, User, eventually};
use serde_json::json;

use super::bed::{Bed, Host, KIND, Work, effect, job, note_effect};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_done_once_as_the_one_who_added_it_and_leaves_no_row() {
    let bed = Bed::new().await;
    let _host = Host::start(&bed, Work::effects("done")).await;
    for user in [User::Is(ALICE), User::Is(BOB), User::Service] {
        bed.add(&user, json!({})).await;
    }
    let mut tx = bed.db.begin_as_host().await.unwrap();
    bed.queue.add_as_host(&mut tx, &job()).await.unwrap();
    tx.commit().await.unwrap();
    eventually("all are done", async || bed.effects().await == 4).await;
    let who: String = bed
        .database
        .value("select string_agg(concat_ws(' ', who, role), ', ' order by who, role) from behalf.effects")
        .await;
    let mut users = [ALICE, BOB].map(|user| format!("{user} authenticated"));
    users.sort();
    assert_eq!(who, format!("{}, {}, service_role, service_role", users[0], users[1]));
    assert_eq!(bed.count(&format!("select count(*) from behalf.jobs where kind = '{KIND}'")).await, 0);
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_repeated_and_the_last_one_ends_the_job() {
    let bed = Bed::new().await;
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let work = Work::new(move |job| {
        counted.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let succeeds = job.payload["succeeds"].as_u64() == Some(job.attempt.into());
            assert_eq!(job.is_last_attempt, job.attempt == 3);
            if succeeds { effect(job, "done").await } else { Err(Failure::retry(std::io::Error::other("no"))) }
        })
    });
    let _host = Host::start(&bed, work).await;
    let second = bed.add(&User::Is(ALICE), json!({ "succeeds": 2 })).await;
    eventually("the second attempt succeeds", async || bed.effects().await == 1).await;
    assert_eq!((bed.of_job(second, "state").await, attempts.load(Ordering::Relaxed)), ("gone".to_owned(), 2));
    assert_eq!(bed.ending(second).await, "untold");
    let never = bed.add(&User::Is(ALICE), json!({})).await;
    bed.is_soon(never, "dead").await;
    assert_eq!(attempts.load(Ordering::Relaxed), 5);
    assert_eq!(bed.of_job(never, "attempts").await, "3");
    assert_eq!(
        (bed.of_job(never, "error_code").await, bed.of_job(never, "error_message").await),
        ("error".into(), "no".into())
    );
    // The feature was told in the transaction that ended it, in the owner's name.
    assert_eq!(bed.ending(never).await, format!("{ALICE} authenticated error f"));
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_failure_a_panic_a_late_one_and_one_that_stops_by_itself_end_the_job() {
    let bed = Bed::new().await;
    let work = Work::new(|job| {
        Box::pin(async move {
            match job.payload["how"].as_str() {
                Some("final") => Err(Failure::Final { code: "too_large", message: "it is too large".to_owned() }),
                Some("panic") => panic!("the handler panics"),
                Some("late") => std::future::pending().await,
                Some("stops") => Err(Failure::Stopped),
                // A payload that the handler cannot read.
                _ => Err(Failure::Final { code: "payload", message: "it cannot be read".to_owned() }),
            }
        })
    });
    let _host = Host::start(&bed, work.within(Duration::from_millis(200))).await;
    for (how, code, attempts) in [
        ("final", "too_large", "1"),
        ("panic", "panic", "3"),
        ("late", "deadline", "3"),
        ("stops", "error", "3"),
        ("?", "payload", "1"),
    ] {
        let id = bed.add(&User::Is(ALICE), json!({ "how": how })).await;
        bed.is_soon(id, "dead").await;
        assert_eq!(
            (bed.of_job(id, "error_code").await.as_str(), bed.of_job(id, "attempts").await.as_str()),
            (code, attempts),
            "{how}"
        );
        assert_eq!(bed.ending(id).await, format!("{ALICE} authenticated {code} f"), "{how}");
    }
    // None of them kept its place.
    let works = bed.add(&User::Is(BOB), json!({ "how": "final" })).await;
    bed.is_soon(works, "dead").await;
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_the_work_are_kept_and_progress_is_shown() {
    let bed = Bed::new().await;
    let (go, gate) = tokio::sync::watch::channel(false);
    let work = Work::new(move |job| {
        let mut gate = gate.clone();
        Box::pin(async move {
            let mut tx = job.begin().await?;
            note_effect(&mut tx, job, "part").await?;
            job.save(tx).await?;
            job.progress(1, Some(2)).await;
            // One write in a second: this one is not stored.
            job.progress(2, Some(2)).await;
            gate.wait_for(|go| *go).await.map_err(Failure::retry)?;
            effect(job, "end").await
        })
    });
    let _host = Host::start(&bed, work).await;
    let id = bed.add(&User::Is(ALICE), json!({})).await;
    eventually("it shows how far it is", async || bed.of_job(id, "progress").await == r#"{"done": 1, "total": 2}"#)
        .await;
    assert_eq!(bed.effects().await, 1, "the part is stored before the end");
    go.send(true).unwrap();
    eventually("it is done", async || bed.of_job(id, "state").await == "gone").await;
    assert_eq!(bed.effects().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_job_waits_for_its_time_and_is_promoted() {
    let bed = Bed::new().await;
    let _host = Host::start(&bed, Work::effects("done")).await;
    let user = User::Is(ALICE);
    let later = bed.add_new(&user, &NewJob { delay: Duration::from_hours(1), ..job() }).await.id();
    let soon = bed.add_new(&user, &NewJob { delay: Duration::from_millis(300), ..job() }).await.id();
    eventually("the one whose time has come is done", async || bed.of_job(soon, "state").await == "gone").await;
    assert_eq!(bed.of_job(later, "state").await, "delayed");
    bed.database.execute("update behalf.jobs set run_at = now() where state = 'delayed'").await;
    eventually("the other is done, too", async || bed.of_job(later, "state").await == "gone").await;
    bed.counts_are_true().await;
}
