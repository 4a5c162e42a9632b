//! A run that a client waits for, and what becomes of it when the client goes away.
//!
//! `OpenAI`'s clients send a request again when its connection breaks, and say nothing by which the two could be told to be one. So a
//! run is remembered with its request until its answer was given. A client that asks again with the same request soon after its
//! connection broke, or after the host of its run died, gets the run that it began.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use behalf_identity::Principal;
use behalf_problem::LogText as _;
use behalf_web::{ApiError, IdempotencyKey, Known, release};
use serde_json::Value;
use tracing::Instrument as _;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::run::{RunGoesOn, RunRequest, WaitError};
use crate::state::AgentsState;
use crate::store::AwaitedBy;

/// How long a run goes on for a client that went away, so that the client may ask again. Their clients do so after at most eight
/// seconds (`openai` 7.57, `ai` 6.0, `@langchain/core` 1.4).
const GRACE: Duration = Duration::from_secs(10);
/// How long an answer may need from here to its client.
const DELIVERY: Duration = Duration::from_secs(1);
/// Attempts to note that a client went away, some six seconds in all.
const RETRIES: usize = 6;
const NO_RUN: &str = "Run not found";

/// The request that a client sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Its idempotency key.
    pub(super) key: IdempotencyKey,
    /// Its body.
    pub(super) body: Value,
    /// The session that a header names.
    pub(super) session: String,
}

/// A run that a client waits for. Dropped before it was answered, its client went away.
#[derive(Debug)]
pub(super) struct WaitedRun {
    state: AgentsState,
    principal: Arc<Principal>,
    run_id: String,
    session_id: String,
    /// Whether the client named it by a key: then it can ask again at any time, and the run goes on.
    is_keyed: bool,
    is_repeat: bool,
    is_answered: bool,
}

impl WaitedRun {
    /// Begins the run that a request asks for, or finds the one that the same request began before.
    pub(super) async fn begin(
        state: AgentsState,
        principal: Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
        sent: Sent,
    ) -> Result<Self, Refusal> {
        // A task: a client that goes away meanwhile leaves no key claimed, and no run that nobody looks after.
        let begun = async move { Self::find_or_start(state, principal, agent, request, &sent).await };
        tokio::spawn(begun.in_current_span()).await.unwrap_or_else(|error| Err(ApiError::internal(error).into()))
    }

    async fn find_or_start(
        state: AgentsState,
        principal: Arc<Principal>,
        agent: Uuid,
        mut request: RunRequest,
        sent: &Sent,
    ) -> Result<Self, Refusal> {
        let environment = &state.agents.environment;
        let earlier = if sent.key.is_given() {
            match sent.key.claim(&state.web.idempotency, &principal, &sent.body).await? {
                Known::Run(run_id) => Some(run_id),
                Known::Answered(_) => return Err(ApiError::internal("a run's key has an answer of its own").into()),
                Known::New(claim) => {
                    request.claim = claim;
                    None
                }
            }
        } else {
            let scope = sent.key.request_digest(&principal, &sent.session, &sent.body);
            let by = AwaitedBy { scope, host: environment.host };
            request.awaited = Some(by);
            environment.awaited.adopt(&principal, by).await?
        };
        let waited = Self {
            state,
            principal,
            run_id: String::new(),
            session_id: String::new(),
            is_keyed: sent.key.is_given(),
            is_repeat: earlier.is_some(),
            is_answered: false,
        };
        match earlier {
            Some(run_id) => waited.join(run_id).await,
            None => waited.start(agent, request).await,
        }
    }

    /// Waits for a run that was begun before.
    async fn join(mut self, run_id: String) -> Result<Self, Refusal> {
        self.run_id = run_id;
        let found = self.state.agents.environment.runs.find(&self.principal, &self.run_id).await?;
        self.session_id = found.ok_or_else(|| ApiError::not_found(NO_RUN))?.session_id;
        let run_id = &self.run_id;
        tracing::info!(run.id = %run_id, "a client asked again for a run that it began before");
        Ok(self)
    }

    async fn start(mut self, agent: Uuid, request: RunRequest) -> Result<Self, Refusal> {
        let claim = request.claim;
        let started = match self.state.web.limits.count_run(&self.principal) {
            Ok(()) => {
                self.state.agents.starter.start(&self.principal, agent, request).await.map_err(Refusal::not_begun)
            }
            Err(refused) => Err(refused.into()),
        };
        match started {
            Ok(started) => {
                self.run_id = started.run_id;
                self.session_id = started.session_id;
                Ok(self)
            }
            Err(error) => {
                release(&self.state.web.idempotency, claim).await;
                Err(error)
            }
        }
    }

    /// Its caller.
    pub(super) fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// The run.
    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Its session.
    pub(super) fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Whether an earlier request began it.
    pub(super) fn is_repeat(&self) -> bool {
        self.is_repeat
    }

    /// Says that the client gets its answer now. Until that has had time to arrive, the run is kept for the case that this host dies: the
    /// client then sends its request again.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
        if self.is_keyed {
            return;
        }
        let (state, principal) = (self.state.clone(), Arc::clone(&self.principal));
        let run_id = self.run_id.clone();
        let forgotten = async move {
            let environment = &state.agents.environment;
            tokio::select! {
                () = tokio::time::sleep(DELIVERY) => {}
                () = environment.control.leaves() => {}
            }
            let forget = || environment.awaited.answered(&principal, &run_id);
            if let Err(error) = forget.retry(pauses()).await {
                tracing::warn!(run.id = %run_id, error = error.log_text(), "a run that was answered is still awaited");
            }
        };
        tokio::spawn(forgotten.in_current_span());
    }

    /// What its client is told where nobody waits here any longer. The same request gets the run again, as soon as it is noted that its
    /// client waits no more.
    pub(super) async fn goes_on(&mut self, reason: WaitError) -> RunGoesOn {
        let may_repeat = self.is_keyed || leave(&self.state, &self.principal, &self.run_id).await;
        RunGoesOn { run_id: self.run_id.clone(), reason, may_repeat }
    }
}

impl Drop for WaitedRun {
    fn drop(&mut self) {
        if self.is_answered || self.is_keyed || self.run_id.is_empty() {
            return;
        }
        let (state, principal) = (self.state.clone(), Arc::clone(&self.principal));
        let run_id = std::mem::take(&mut self.run_id);
        tokio::spawn(async move { look_after(&state, &principal, &run_id).await });
    }
}

/// Cancels a run whose client went away, unless the client asks again.
async fn look_after(state: &AgentsState, principal: &Principal, run_id: &str) {
    let environment = &state.agents.environment;
    if !leave(state, principal, run_id).await {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(GRACE) => {}
        () = environment.control.leaves() => {}
    }
    // It was this host that went away, and not the client: the run goes on elsewhere.
    if environment.control.is_closing() {
        return;
    }
    let cancelled = async {
        if environment.awaited.give_up(principal, run_id).await? {
            environment.control.cancel(principal, run_id).await?;
        }
        Ok::<_, sqlx::Error>(())
    };
    if let Err(error) = cancelled.await {
        tracing::warn!(run.id = %run_id, error = error.log_text(), "cannot cancel a run that nobody waits for any more");
    }
}

/// Notes that the client of a run waits for it no longer; false where that cannot be stored.
async fn leave(state: &AgentsState, principal: &Principal, run_id: &str) -> bool {
    let store = || state.agents.environment.awaited.leave(principal, run_id);
    match store.retry(pauses()).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(run.id = %run_id, error = error.log_text(), "a run whose client went away still counts as awaited");
            false
        }
    }
}

fn pauses() -> ExponentialBuilder {
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_factor(2.0);
    pauses.with_max_times(RETRIES)
}
