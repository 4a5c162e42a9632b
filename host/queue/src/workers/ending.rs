//! Ends a job without success, and tells its feature in the same transaction.

use behalf_telemetry::metric;

use super::shared::Shared;
use crate::handler::Ended;
use crate::identity::{Actor, restored};
use crate::store::claim::Claimed;
use crate::store::lease::JobLease;
use crate::store::outcome::{self, Reason};

/// A job that this host has, and that is to end.
pub(super) struct Ending<'a> {
    shared: &'a Shared,
    claimed: &'a Claimed,
    lease: JobLease,
    actor: Option<Actor>,
}

impl<'a> Ending<'a> {
    pub(super) fn new(shared: &'a Shared, claimed: &'a Claimed) -> Self {
        let actor = actor(shared, claimed);
        Self { shared, claimed, lease: claimed.lease(shared.host), actor }
    }

    /// Ends it; nothing happens where this host has lost it. What the feature notes comes first: it locks the feature's rows before
    /// those of the job, as requests do that add or cancel jobs.
    pub(super) async fn end(&self, is_cancelled: bool, reason: &Reason) -> Result<(), sqlx::Error> {
        let db = self.shared.db();
        let principal = match &self.actor {
            Some(Actor::Principal(principal)) => Some(principal),
            Some(Actor::Host) | None => None,
        };
        let mut tx = match principal {
            Some(principal) => db.begin(principal).await?,
            None => db.begin_as_host().await?,
        };
        if let Some(handler) = self.shared.handlers.get(&*self.claimed.kind) {
            let ended = Ended {
                id: self.claimed.id,
                kind: &self.claimed.kind,
                principal,
                user_id: self.claimed.user_id,
                payload: &self.claimed.payload,
                is_cancelled,
                code: reason.code,
                message: &reason.message,
            };
            handler.gave_up(&mut tx, &ended).await?;
        }
        if outcome::end(&mut tx, &self.lease, is_cancelled, reason).await? {
            tx.commit().await?;
            let result = if is_cancelled { "cancelled" } else { "dead" };
            metric::job_ended(&self.claimed.kind, result);
            if !is_cancelled {
                tracing::warn!(job.id = %self.lease.id, job.code = reason.code, "a job failed for good");
            }
        }
        Ok(())
    }
}

/// As whom the job is done; none where that cannot be told.
pub(super) fn actor(shared: &Shared, claimed: &Claimed) -> Option<Actor> {
    restored(&shared.queue.seal, claimed.id, &claimed.owner, claimed.user_id, claimed.identity.as_ref())
}
