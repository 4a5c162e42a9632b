//! A streamed answer with its time limits.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt, future, stream, stream::BoxStream};
use tokio::time::{Instant, timeout_at};

use super::{
    collect::{Collector, Event},
    failure::Failure,
    reason::reason,
};
use crate::{
    ApiKey, ModelError,
    chat::{ChatRequest, Delta},
};

/// The events of an endpoint.
pub(super) type Events = BoxStream<'static, Result<Event, Failure>>;

/// An answer of which at least one piece has arrived.
pub(super) struct Answer {
    events: Events,
    collected: Collector,
    /// The longest time between two pieces.
    idle: Duration,
    /// The time at which the whole answer must have arrived.
    deadline: Instant,
    /// What the operator is told of a failure.
    teller: Teller,
}

/// Adds an endpoint's own words to failures.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) key: Option<ApiKey>,
    pub(super) request: Arc<ChatRequest>,
}

impl Teller {
    /// The error, with what the endpoint said of it.
    pub(super) fn tell(&self, failure: Failure) -> ModelError {
        let key = self.key.as_ref().map(ApiKey::expose);
        failure.error.with(reason(&failure.said, key, &self.request))
    }
}

impl Answer {
    /// Waits for the first piece.
    pub(super) async fn begin(
        events: Events,
        collected: Collector,
        teller: Teller,
        (idle, deadline): (Duration, Instant),
    ) -> Result<Self, Failure> {
        let mut answer = Self { events, collected, idle, deadline, teller };
        answer.fill(Collector::has_begun).await?;
        Ok(answer)
    }

    /// The pieces, up to the end or the first error.
    pub(super) fn into_stream(opened: Result<Self, ModelError>) -> impl Stream<Item = Result<Delta, ModelError>> {
        match opened {
            Err(error) => stream::once(future::ready(Err(error))).left_stream(),
            Ok(answer) => stream::unfold(Some(answer), |answer| async { answer?.next().await }).right_stream(),
        }
    }

    async fn next(mut self) -> Option<(Result<Delta, ModelError>, Option<Self>)> {
        if !self.collected.is_ready() {
            if self.collected.is_done() {
                return None;
            }
            if let Err(failure) = self.fill(Collector::is_ready).await {
                return Some((Err(self.teller.tell(failure)), None));
            }
        }
        let delta = self.collected.next()?;
        Some((Ok(delta), Some(self)))
    }

    /// Waits until a piece can be passed on. Only events that advance the answer reset the idle time, because an
    /// endpoint can send comments and empty pieces without end.
    async fn fill(&mut self, is_enough: fn(&Collector) -> bool) -> Result<(), Failure> {
        let mut patience = self.patience();
        while !is_enough(&self.collected) {
            let event = timeout_at(patience, self.events.next()).await.map_err(|_| ModelError::Timeout)?;
            let event = event.ok_or(ModelError::Protocol("it ended before it was complete"))?;
            if self.collected.take(event?)? {
                patience = self.patience();
            }
        }
        Ok(())
    }

    fn patience(&self) -> Instant {
        self.deadline.min(Instant::now() + self.idle)
    }
}
