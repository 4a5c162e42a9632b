//! The way of events into the database. Every event is stored before anybody is shown it; pieces of text gather for a
//! moment first, so that a long answer costs few commits.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::event::Event;
use crate::db::{Db, Hold};
use crate::identity::Principal;

/// How long events gather.
const GATHER: Duration = Duration::from_millis(40);
/// Text that is worth storing before that.
const ENOUGH_BYTES: usize = 1024;
/// Events that wait to be stored; beyond it the run waits for the database.
const QUEUE: usize = 256;
/// Events of one insert.
const BATCH: usize = 256;
/// Tries to store a batch, with a pause that doubles each time: some six seconds in all.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Events can no longer be stored: the run's row is gone, another host ended it, or the database is away.
#[derive(Clone, Copy, Debug, Error)]
#[error("the run's events can no longer be stored")]
pub(super) struct Gone;

/// An event and when it happened, which is before it is stored.
type Stamped = (DateTime<Utc>, Event);

/// Takes the events of a run.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    to: mpsc::Sender<Stamped>,
}

/// Whose events they are.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) db: Db,
    pub(super) principal: Arc<Principal>,
    pub(super) hold: Hold,
    /// The last event's number that was stored; followers watch it.
    pub(super) stored: watch::Sender<i64>,
}

impl Recorder {
    /// Begins to write. The task ends when every recorder is dropped, with the writer and the last number, or none where
    /// events were lost.
    pub(super) fn start(writer: Writer) -> (Self, JoinHandle<Result<i64, Gone>>) {
        let (to, events) = mpsc::channel(QUEUE);
        (Self { to }, tokio::spawn(writer.run(events)))
    }

    /// Hands an event over.
    pub(super) async fn record(&self, event: Event) -> Result<(), Gone> {
        self.to.send((Utc::now(), event)).await.map_err(|_| Gone)
    }
}

impl Writer {
    async fn run(self, mut events: mpsc::Receiver<Stamped>) -> Result<i64, Gone> {
        let mut last = *self.stored.borrow();
        while let Some(first) = events.recv().await {
            let batch = gather(first, &mut events).await;
            self.store(last + 1, &batch).await?;
            last += i64::try_from(batch.len()).unwrap_or(i64::MAX);
            self.stored.send_replace(last);
        }
        Ok(last)
    }

    async fn store(&self, first: i64, batch: &[Stamped]) -> Result<(), Gone> {
        let json: Vec<_> = (first..).zip(batch).map(|(seq, (at, event))| event.to_json(seq, *at)).collect();
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.db.append_run_events(&self.principal, &self.hold, first, &json).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Gone),
                // The row is gone or the numbers are taken: trying again changes nothing.
                Err(sqlx::Error::Database(error))
                    if error.is_unique_violation() || error.is_foreign_key_violation() =>
                {
                    tracing::warn!(run.id = %self.hold.run_id, error = %error, "a run's events were refused");
                    return Err(Gone);
                }
                Err(error) => {
                    tracing::warn!(run.id = %self.hold.run_id, error = %error, "cannot store a run's events; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Gone)
    }
}

/// What comes within a moment, merged where it can be shown as one.
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
