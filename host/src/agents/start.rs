use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::driver::{Driver, Earlier};
use super::error::{MAX_DEPTH, StartError};
use super::event::{Event, storable};
use super::journal::Written;
use super::live::{Full, Place};
use super::plan::Plan;
use super::request::RunRequest;
use super::transcript::Transcript;
use super::{Agents, ids, passages};
use crate::db::{ChunkReader, Hold, NewRun, RunSession, TakenRun};
use crate::identity::Principal;
use crate::models::Message;
use crate::tools::CallContext;

/// Bytes of stored JSON that may hold a token's text, so that no more history is read than could fit.
const BYTES_PER_TOKEN: i64 = 16;

/// A run that was begun.
#[derive(Clone, Debug)]
pub struct StartedRun {
    /// Its id.
    pub run_id: String,
    /// Its conversation.
    pub session_id: String,
}

impl Agents {
    /// Begins a run on behalf of the principal. It goes on by itself, whether or not anybody waits for it.
    pub async fn start(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
    ) -> Result<StartedRun, StartError> {
        // An agent that is asked by the one it is for is part of what was let do.
        if request.parent.is_none() && principal.delegation().is_some_and(|delegation| delegation.agent != agent) {
            return Err(StartError::Delegation("this delegation is for another agent"));
        }
        let place = self.live.place().map_err(|full| match full {
            Full::Closing => StartError::Closing,
            Full::Busy => StartError::Busy,
        })?;
        // A task, because a client that goes away now must not leave a row that nobody works on.
        let (agents, principal) = (Arc::clone(self), Arc::clone(principal));
        tokio::spawn(async move { agents.begin(principal, agent, request, place).await }).await?
    }

    async fn begin(
        self: Arc<Self>,
        principal: Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
        mut place: Place,
    ) -> Result<StartedRun, StartError> {
        let parent = request.parent.clone();
        if parent.as_ref().is_some_and(|parent| parent.depth > MAX_DEPTH) {
            return Err(StartError::Depth);
        }
        let plan = self.plan(&principal, agent, &request).await?;
        let run_id = parent.as_ref().map_or_else(ids::run_id, |parent| parent.child_id.clone());
        let session = choose_session(&principal, request.session_id.clone());
        let session_id = session.id().to_owned();
        let start = Event::Start {
            run_id: run_id.clone(),
            session_id: session_id.clone(),
            context_handler_id: None,
            reasoning_requested: plan.bounds.reasoning_effort.is_some(),
        };
        let new_run = NewRun {
            run_id: &run_id,
            session: &session,
            agent_id: plan.agent_id,
            model: &plan.model,
            input_messages: &storable(json!([{ "role": "user", "content": request.message }])),
            retrieved_context: &json!(plan.retrieved),
            lease_seconds: self.lease.as_secs_f64(),
            history_bytes: history_bytes(&plan),
            claim: request.claim,
            request_id: request.request_id.as_deref(),
            first_events: &[start.to_json(1, chrono::Utc::now())],
            request: &storable(serde_json::to_value(&request).unwrap_or_default()),
            parent: parent.as_ref().map(|parent| (parent.run_id.as_str(), parent.depth)),
        };
        let opened = self.db.open_run(&principal, &new_run).await?;
        let hold = Hold { run_id: run_id.clone(), epoch: 1 };
        let (stored, stopped) = place.fill(&hold, 1);
        let driver = Driver {
            context: context(&hold, agent, &session_id, request.request_id),
            agents: self,
            principal,
            plan,
            hold,
            depth: parent.map_or(0, |parent| parent.depth),
            session_id: session_id.clone(),
            is_new_session: opened.is_new_session,
            history: Plan::history(opened.history).into_iter().chain(request.history).collect(),
            question: Message::user(request.message),
            earlier: Earlier::default(),
        };
        driver.spawn(place, stored, stopped);
        Ok(StartedRun { run_id, session_id })
    }

    /// Goes on with a run that lost its host; false where there is none, or no place for one.
    pub(super) async fn take_over(self: &Arc<Self>) -> Result<bool, sqlx::Error> {
        let Ok(place) = self.live.place() else { return Ok(false) };
        let Some(taken) = self.db.take_run(self.lease.as_secs_f64()).await? else { return Ok(false) };
        let run_id = taken.hold.run_id.clone();
        metrics::counter!("behalf_runs_taken_over_total").increment(1);
        tracing::info!(run.id = %run_id, run.epoch = taken.hold.epoch, "a run lost its host; going on with it");
        // What fails here is tried again when the lease is over, by this host or another, and not for ever.
        if let Err(error) = Arc::clone(self).go_on(taken, place).await {
            tracing::warn!(run.id = %run_id, error = %error, "cannot go on with a run");
        }
        Ok(true)
    }

    async fn go_on(self: Arc<Self>, taken: TakenRun, mut place: Place) -> Result<(), StartError> {
        let damaged = |what: &str| StartError::Settings(format!("what was kept of its {what} cannot be read"));
        let principal = Arc::new(Principal::from_stored(&taken.identity).ok_or_else(|| damaged("caller"))?);
        let request: RunRequest = serde_json::from_value(taken.request).map_err(|_| damaged("request"))?;
        let entries: Vec<Written> = taken
            .journal
            .into_iter()
            .map(serde_json::from_value)
            .collect::<Result<_, _>>()
            .map_err(|_| damaged("journal"))?;
        let plan = self.plan(&principal, taken.agent_id, &request).await?;
        let history = if taken.is_new_session {
            Vec::new()
        } else {
            let bytes = history_bytes(&plan);
            self.db.history_before(&principal, &taken.session_id, &taken.hold.run_id, bytes).await?
        };
        let earlier = Earlier {
            entries: entries.len(),
            worked: Duration::from_millis(entries.last().map_or(0, |last| last.worked_ms)),
            transcript: Transcript::restore(entries.into_iter().map(|written| written.entry)),
            taken_over: true,
        };
        let (stored, stopped) = place.fill(&taken.hold, taken.last_seq);
        let driver = Driver {
            context: context(&taken.hold, taken.agent_id, &taken.session_id, request.request_id),
            agents: self,
            principal,
            plan,
            hold: taken.hold,
            depth: request.parent.map_or(0, |parent| parent.depth),
            session_id: taken.session_id,
            is_new_session: taken.is_new_session,
            history: Plan::history(history).into_iter().chain(request.history).collect(),
            question: Message::user(request.message),
            earlier,
        };
        driver.spawn(place, stored, stopped);
        Ok(())
    }

    async fn plan(&self, principal: &Arc<Principal>, agent: Uuid, request: &RunRequest) -> Result<Plan, StartError> {
        let row = self.db.agent(principal, agent).await?.ok_or(StartError::Agent)?;
        let assigned = self.db.agent_tools(principal, agent).await?;
        let reader = ChunkReader { agent_id: Some(agent), request_id: request.request_id.clone() };
        let passages = passages::look_up(&self.db, principal, &request.context, reader).await?;
        let mut plan = Plan::new(row, assigned, request, &passages, &self.tools, self.models.default_model())?;
        plan.accesses = self.accesses(agent).await?;
        plan.offer(&self.tools.mcp_tools(principal, agent).await?);
        Ok(plan)
    }
}

fn history_bytes(plan: &Plan) -> i64 {
    i64::from(plan.bounds.context_tokens) * BYTES_PER_TOKEN
}

fn context(hold: &Hold, agent: Uuid, session_id: &str, request_id: Option<String>) -> CallContext {
    CallContext {
        request_id,
        agent_id: Some(agent),
        session_id: Some(session_id.to_owned()),
        run_id: Some(hold.run_id.clone()),
        ..CallContext::default()
    }
}

/// Users never name a new conversation: an id that somebody planted could become somebody else's.
fn choose_session(principal: &Principal, asked: Option<String>) -> RunSession {
    match asked {
        None => RunSession::New(ids::session_id()),
        Some(id) if principal.is_service() => RunSession::Named(id),
        Some(id) => RunSession::Existing(id),
    }
}
