//! The way of events into the database. Every event is stored before anybody is shown it; pieces of text gather for a
//! moment first, so that a long answer costs few commits.

use std::sync::Arc;
use std::time::Duration;

use backon::Retryable;
use behalf_identity::Principal;
use behalf_problem::LogText as _;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::error::LeaseLost;
use super::event::Event;
use super::retry::doubling;
use crate::store::{RunEventStore, RunLease};

/// How long events gather.
const GATHER: Duration = Duration::from_millis(40);
/// Text that is worth storing before that.
const ENOUGH_BYTES: usize = 1024;
/// Events that wait to be stored; beyond it the run waits for the database.
const QUEUE: usize = 256;
/// Events of one insert.
const BATCH: usize = 256;
/// Attempts to store a batch again: some three seconds in all.
const RETRIES: usize = 5;

/// An event and when it happened, which is before it is stored.
type Stamped = (DateTime<Utc>, Event);

/// Takes the events of a run.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    to: mpsc::Sender<Stamped>,
}

/// Stores the events of one run.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) events: RunEventStore,
    pub(crate) principal: Arc<Principal>,
    pub(crate) lease: RunLease,
    /// The last event's number that was stored; followers watch it.
    pub(crate) stored: watch::Sender<i64>,
}

impl Recorder {
    /// Begins to write. The task ends when every recorder is dropped, with the writer and the last number, or none where
    /// events were lost.
    pub(crate) fn start(writer: Writer) -> (Self, JoinHandle<Result<i64, LeaseLost>>) {
        let (to, events) = mpsc::channel(QUEUE);
        (Self { to }, tokio::spawn(writer.run(events)))
    }

    /// Hands an event over.
    pub(crate) async fn record(&self, event: Event) -> Result<(), LeaseLost> {
        self.to.send((Utc::now(), event)).await.map_err(|_| LeaseLost)
    }
}

impl Writer {
    async fn run(self, mut events: mpsc::Receiver<Stamped>) -> Result<i64, LeaseLost> {
        let mut last = *self.stored.borrow();
        while let Some(first) = events.recv().await {
            let batch = gather(first, &mut events).await;
            self.store(last + 1, &batch).await?;
            last += i64::try_from(batch.len()).unwrap_or(i64::MAX);
            self.stored.send_replace(last);
        }
        Ok(last)
    }

    async fn store(&self, first: i64, batch: &[Stamped]) -> Result<(), LeaseLost> {
        let json: Vec<_> = (first..).zip(batch).map(|(seq, (at, event))| event.to_json(seq, *at)).collect();
        let append = || self.events.append(&self.principal, &self.lease, first, &json);
        let stored = append
            .retry(doubling(RETRIES))
            // The row is gone or the numbers are taken: trying again changes nothing.
            .when(|error| !is_refusal(error))
            .notify(|error, _| {
                tracing::warn!(run.id = %self.lease.run_id, error = error.log_text(), "cannot store a run's events; trying again");
            })
            .await;
        match stored {
            Ok(true) => Ok(()),
            Ok(false) => Err(LeaseLost),
            Err(error) => {
                tracing::warn!(run.id = %self.lease.run_id, error = error.log_text(), "a run's events could not be stored");
                Err(LeaseLost)
            }
        }
    }
}

/// Whether the database refuses events that it will never take.
fn is_refusal(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation() || error.is_foreign_key_violation())
}

/// The events that come within a moment, merged where it can be shown as one.
async fn gather(first: Stamped, events: &mut mpsc::Receiver<Stamped>) -> Vec<Stamped> {
    let mut batch = vec![first];
    let end = tokio::time::Instant::now() + GATHER;
    while batch.len() < BATCH && batch.iter().map(|(_, event)| event.delta_bytes()).sum::<usize>() < ENOUGH_BYTES {
        let Ok(Some((at, next))) = tokio::time::timeout_at(end, events.recv()).await else { break };
        let rest = match batch.last_mut() {
            Some((_, last)) => last.merge(next),
            None => Some(next),
        };
        batch.extend(rest.map(|event| (at, event)));
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(event: Event) -> Stamped {
        (Utc::now(), event)
    }

    fn delta(text: &str) -> Stamped {
        now(Event::ContentDelta { delta: text.to_owned() })
    }

    #[tokio::test]
    async fn pieces_that_come_together_are_stored_as_one() {
        let (to, mut events) = mpsc::channel(8);
        for event in [delta("b"), now(Event::StepStarted { step: 2, is_last_step: false }), delta("c"), delta("d")] {
            to.send(event).await.expect("the receiver is there");
        }
        let batch = gather(delta("a"), &mut events).await;
        let texts: Vec<_> = batch.iter().map(|(_, event)| event.delta_bytes()).collect();
        assert_eq!(texts, [2, 0, 2]);
    }

    #[tokio::test]
    async fn much_text_does_not_wait() {
        let (to, mut events) = mpsc::channel(8);
        to.send(delta("later")).await.expect("the receiver is there");
        let batch = gather(delta(&"x".repeat(ENOUGH_BYTES)), &mut events).await;
        assert_eq!(batch.len(), 1);
        assert!(events.try_recv().is_ok());
    }
}
