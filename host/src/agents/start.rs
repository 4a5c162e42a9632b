use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::driver::Driver;
use super::error::StartError;
use super::event::{Event, storable};
use super::keeper::LEASE_SECONDS;
use super::live::{Full, Place};
use super::plan::Plan;
use super::request::RunRequest;
use super::{Agents, ids, passages};
use crate::db::{ChunkReader, NewRun, RunSession};
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
        if principal.delegation().is_some_and(|delegation| delegation.agent != agent) {
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
        let row = self.db.agent(&principal, agent).await?.ok_or(StartError::Agent)?;
        let assigned = self.db.agent_tools(&principal, agent).await?;
        let reader = ChunkReader { agent_id: Some(agent), request_id: request.request_id.clone() };
        let passages = passages::look_up(&self.db, &principal, &request.context, reader).await?;
        let mut plan = Plan::new(row, assigned, &request, &passages, &self.tools, self.models.default_model())?;
        plan.accesses = self.accesses(agent).await?;
        let (run_id, session) = (ids::run_id(), choose_session(&principal, request.session_id));
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
            lease_seconds: LEASE_SECONDS,
            history_bytes: i64::from(plan.bounds.context_tokens) * BYTES_PER_TOKEN,
            claim: request.claim,
            request_id: request.request_id.as_deref(),
            first_events: &[start.to_json(1, chrono::Utc::now())],
        };
        let opened = self.db.open_run(&principal, &new_run).await?;
        let (stored, stopped) = place.fill(&run_id, 1);
        let driver = Driver {
            db: self.db.clone(),
            tools: Arc::clone(&self.tools),
            models: Arc::clone(&self.models),
            context: CallContext {
                request_id: request.request_id,
                agent_id: Some(agent),
                session_id: Some(session_id.clone()),
                run_id: Some(run_id.clone()),
            },
            principal,
            plan,
            run_id: run_id.clone(),
            session_id: session_id.clone(),
            is_new_session: opened.is_new_session,
            history: Plan::history(opened.history).into_iter().chain(request.history).collect(),
            question: Message::user(request.message),
        };
        tokio::spawn(driver.run(place, stored, stopped));
        Ok(StartedRun { run_id, session_id })
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
