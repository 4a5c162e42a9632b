//! **agents**: lets a model call tools on behalf of a principal.
//!
//! Owns runs from their start to their end: what a model is told, the loop, the events, leases and cancelling. Imports
//! `tools`, `models`, `db` and `identity`. Never does: call a tool as anybody but the run's principal, or with a tool the
//! agent was not given; hold a database connection while a model or a tool works; keep anything only in memory that a
//! client was told.

mod access;
mod approval;
mod assignment;
mod callee;
mod calls;
mod deadline;
mod direct;
mod driver;
mod error;
mod event;
mod ids;
mod journal;
mod keeper;
mod live;
mod passages;
mod plan;
mod reader;
mod recorder;
mod repetition;
mod request;
mod settings;
mod start;
mod toolbox;
mod transcript;
mod turn;
mod window;

use std::sync::Arc;
use std::time::Duration;

pub use assignment::{Assign, AssignError};
pub use direct::DirectCallError;
pub use error::StartError;
pub use ids::{seed_id, session_id};
pub use reader::{EventReader, Followed};
pub use request::{RequestError, RunRequest};
pub use settings::AgentSettings;
pub use start::StartedRun;
pub use toolbox::NotCalled;

use live::{Live, Stop};

use crate::db::{ApprovalRow, Db, Decision, RunRow};
use crate::identity::Principal;
use crate::models::Models;
use crate::tools::Tools;

/// How long somebody who cancels a run waits to see it end.
const CANCEL_PATIENCE: Duration = Duration::from_secs(3);
/// How often they look where another host ends it.
const CANCEL_LOOK: Duration = Duration::from_millis(200);

/// A shorter lease would be lost by a host that is only busy.
const MIN_LEASE: Duration = Duration::from_secs(2);

/// The agents of this host.
#[derive(Debug)]
pub struct Agents {
    db: Db,
    tools: Arc<Tools>,
    models: Arc<Models>,
    live: Arc<Live>,
    answers: approval::Answers,
    /// How long a run without a sign of its host is left alone.
    lease: Duration,
}

impl Agents {
    /// Begins to look after runs, also those that an earlier host left behind.
    pub fn new(db: Db, tools: Arc<Tools>, models: Arc<Models>, lease: Duration) -> Arc<Self> {
        let lease = lease.max(MIN_LEASE);
        let agents =
            Arc::new(Self { db, tools, models, live: Arc::default(), answers: approval::Answers::default(), lease });
        tokio::spawn(keeper::keep(Arc::downgrade(&agents), lease));
        agents
    }

    /// The model of agents that name none.
    pub fn default_model(&self) -> &str {
        self.models.default_model()
    }

    /// The events of a run after number `after`, as they come. Whose run it is, row-level security decides.
    pub fn follow(&self, principal: &Arc<Principal>, run_id: &str, after: i64) -> EventReader {
        EventReader::new(self.db.clone(), Arc::clone(principal), run_id.to_owned(), after)
    }

    /// Waits until this host no longer works on a run; at once where it does not.
    pub async fn finished(&self, run_id: &str) {
        if let Some(mut stored) = self.live.follow(run_id) {
            while stored.changed().await.is_ok() {}
        }
    }

    /// Asks for the end of a run, on whichever host it is, and waits a moment for it. None where the caller sees no such run.
    pub async fn cancel(&self, principal: &Principal, run_id: &str) -> Result<Option<RunRow>, sqlx::Error> {
        if self.db.request_cancel(principal, run_id).await?.is_none() {
            return Ok(None);
        }
        if self.live.stop(run_id, Stop::Cancelled) {
            tokio::time::timeout(CANCEL_PATIENCE, self.finished(run_id)).await.ok();
        } else {
            tokio::time::timeout(CANCEL_PATIENCE, self.ended_elsewhere(principal, run_id)).await.ok();
        }
        self.db.run(principal, run_id).await
    }

    /// Decides about a call that waits; none where nothing of this run waits for anybody, or nothing this caller may know of.
    pub async fn decide(
        &self,
        principal: &Principal,
        run_id: &str,
        decision: &Decision,
    ) -> Result<Option<ApprovalRow>, sqlx::Error> {
        let decided = self.db.decide_approval(principal, run_id, decision).await?;
        if decided.is_some() {
            self.answers.wake();
        }
        Ok(decided)
    }

    /// Waits until a run of another host is over.
    async fn ended_elsewhere(&self, principal: &Principal, run_id: &str) {
        while let Ok(found) = self.db.run_events(principal, run_id, 0, 0).await {
            if !found.is_unfinished() {
                return;
            }
            tokio::time::sleep(CANCEL_LOOK).await;
        }
    }

    /// Begins no more runs, lets those there are end within `grace`, and leaves the rest to the next host.
    pub async fn shutdown(&self, grace: Duration) {
        self.live.close(grace).await;
    }
}
