//! Jobs that are cancelled, by their features and by operators, and jobs that operators try again.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::Act;
use behalf_queue::{Cancel, Failure, JobError, JobId, JobTable, NewJob, Stop};
use behalf_tests::{ALICE, BOB, User, eventually};
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::bed::{Bed, Host, Work, effect, job, note_effect};

/// Work that ends when it is stopped, or when the test lets it store its effect.
fn stoppable() -> (Work, mpsc::UnboundedReceiver<JobId>, Arc<Notify>) {
    let (began, ids) = mpsc::unbounded_channel();
    let go: Arc<Notify> = Arc::default();
    let of_work = Arc::clone(&go);
    let work = Work::new(move |job| {
        let (began, go) = (began.clone(), Arc::clone(&of_work));
        Box::pin(async move {
            began.send(job.id).map_err(Failure::retry)?;
            if job.payload == json!("deaf") {
                go.notified().await;
                return effect(job, "too late").await;
            }
            assert_eq!(job.stopped().await, Stop::Cancelled);
            Err(Failure::Stopped)
        })
    });
    (work, ids, go)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_is_cancelled_in_the_transaction_of_its_feature() {
    let bed = Bed::new().await;
    let alice = User::Is(ALICE);
    let ready = bed.add(&alice, json!({})).await;
    let delayed = bed.add_new(&alice, &NewJob { delay: Duration::from_mins(1), ..job() }).await.id();
    let principal = bed.principal(&alice).await;
    let mut tx = bed.db.begin(&principal).await.unwrap();
    assert_eq!(bed.queue.cancel(&mut tx, ready).await.unwrap(), Cancel::Ended);
    drop(tx);
    assert_eq!(bed.of_job(ready, "state").await, "ready", "its transaction was rolled back");
    assert_eq!(bed.cancel(&User::Is(BOB), ready).await, Cancel::None, "it is another's");
    assert_eq!((bed.cancel(&alice, ready).await, bed.cancel(&alice, delayed).await), (Cancel::Ended, Cancel::Ended));
    assert_eq!(bed.cancel(&alice, ready).await, Cancel::None, "it has ended");
    assert_eq!(bed.cancel(&alice, JobId(Uuid::new_v4())).await, Cancel::None);
    let _host = Host::start(&bed, Work::effects("done")).await;
    let last = bed.add(&alice, json!({})).await;
    eventually("the host works", async || bed.of_job(last, "state").await == "gone").await;
    assert_eq!((bed.effects().await, bed.of_job(ready, "state").await), (1, "cancelled".to_owned()));
    assert_eq!(bed.ending(ready).await, "untold", "its feature did it itself");
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_under_way_is_stopped_and_its_feature_is_told() {
    let bed = Bed::new().await;
    let (work, mut ids, _go) = stoppable();
    let _host = Host::start(&bed, work).await;
    let id = bed.add(&User::Is(ALICE), json!({})).await;
    assert_eq!(ids.recv().await, Some(id));
    assert_eq!(bed.cancel(&User::Is(ALICE), id).await, Cancel::Asked);
    bed.is_soon(id, "cancelled").await;
    assert_eq!(bed.ending(id).await, format!("{ALICE} authenticated cancelled t"));
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_job_is_stored_after_it_was_cancelled() {
    let bed = Bed::new().await;
    let (work, mut ids, go) = stoppable();
    let _host = Host::start(&bed, work).await;
    let deaf = bed.add(&User::Is(ALICE), json!("deaf")).await;
    assert_eq!(ids.recv().await, Some(deaf));
    assert_eq!(bed.cancel(&User::Is(ALICE), deaf).await, Cancel::Asked);
    go.notify_one();
    bed.is_soon(deaf, "cancelled").await;
    assert_eq!(bed.effects().await, 0);
    assert_eq!(bed.ending(deaf).await, format!("{ALICE} authenticated cancelled t"));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_cancel_jobs_that_wait_and_their_features_are_told() {
    let bed = Bed::new().await;
    let table = JobTable::new(bed.db.clone());
    let id = bed.add_new(&User::Is(ALICE), &NewJob { delay: Duration::from_mins(1), ..job() }).await.id();
    let unknown = bed.add_new(&User::Is(ALICE), &NewJob { kind: "tests.unknown", ..job() }).await.id();
    for id in [id, unknown] {
        assert!(table.cancel(Act::Host, id).await.unwrap().cancel_asked_at.is_some());
    }
    let _host = Host::start(&bed, Work::effects("done")).await;
    bed.is_soon(id, "cancelled").await;
    assert_eq!((bed.ending(id).await, bed.effects().await), (format!("{ALICE} authenticated cancelled t"), 0));
    // A host that knows its kind could still come. After a minute, any host ends it.
    assert_eq!(bed.of_job(unknown, "state").await, "ready");
    let long_ago = "update behalf.jobs set cancel_asked_at = now() - interval '2 minutes' where state = 'ready'";
    bed.database.execute(long_ago).await;
    bed.is_soon(unknown, "cancelled").await;
    assert_eq!(bed.ending(unknown).await, "untold");
    assert!(matches!(table.cancel(Act::Host, id).await, Err(JobError::Ended)));
    assert!(matches!(table.cancel(Act::Host, JobId(Uuid::new_v4())).await, Err(JobError::NotFound)));
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_job_that_is_tried_again_has_all_its_attempts() {
    let bed = Bed::new().await;
    let table = JobTable::new(bed.db.clone());
    let keyed = NewJob { unique_key: Some("one"), ..job() };
    let fails = Work::new(|job| {
        Box::pin(async move {
            let mut tx = job.begin().await?;
            note_effect(&mut tx, job, &job.attempt.to_string()).await?;
            job.save(tx).await?;
            Err(Failure::retry(std::io::Error::other("it fails")))
        })
    });
    let host = Host::start(&bed, fails).await;
    let id = bed.add_new(&User::Is(ALICE), &keyed).await.id();
    bed.is_soon(id, "dead").await;
    let row = table.retry(Act::Host, id).await.unwrap();
    assert_eq!((row.state.as_str(), row.attempts, row.error_code), ("ready", 0, None));
    eventually("it has failed again", async || bed.effects().await == 6).await;
    bed.is_soon(id, "dead").await;
    host.stop().await;
    // While another with its key waits, it stays as it is.
    let other = bed.add_new(&User::Is(ALICE), &keyed).await.id();
    assert!(matches!(table.retry(Act::Host, id).await, Err(JobError::Another)));
    assert!(matches!(table.retry(Act::Host, other).await, Err(JobError::NotEnded)));
    assert!(matches!(table.retry(Act::Host, JobId(Uuid::new_v4())).await, Err(JobError::NotFound)));
    bed.cancel(&User::Is(ALICE), other).await;
    assert_eq!(table.retry(Act::Host, other).await.unwrap().cancel_asked_at, None);
    let host = Host::start(&bed, Work::effects("done")).await;
    eventually("it is done", async || bed.of_job(other, "state").await == "gone").await;
    table.retry(Act::Host, id).await.unwrap();
    eventually("the first one is done, too", async || bed.of_job(id, "state").await == "gone").await;
    drop(host);
    bed.counts_are_true().await;
}
