//! Asks another agent, whose run is below the one that asks.

use std::sync::Arc;

use behalf_identity::Principal;
use behalf_models::ToolCall;
use behalf_problem::LogText as _;
use futures::future::BoxFuture;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::control::CancelOnDrop;
use super::environment::RunEnvironment;
use super::error::{LeaseLost, MAX_DEPTH, StartError};
use super::event::Event;
use super::leased_run::LeasedRun;
use super::request::{ParentRun, RunRequest};
use super::tool_answer::ToolAnswer;
use super::work::RunWork;
use crate::knowledge::AskedKnowledge;
use crate::store::RunRow;

/// Begins a run below another one. The module that begins runs implements it; it imports the loop, so the loop cannot import it.
pub(crate) trait SubagentStarter: std::fmt::Debug + Send + Sync {
    /// Begins the run.
    fn start_subagent<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
    ) -> BoxFuture<'a, Result<(), StartError>>;
}

/// Asks other agents in the name of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubagentCaller<'a> {
    /// What all runs share.
    pub(crate) environment: &'a RunEnvironment,
    /// Begins the runs below.
    pub(crate) starter: &'a dyn SubagentStarter,
    /// The run that asks.
    pub(crate) run: &'a LeasedRun,
    /// What its steps share.
    pub(crate) work: &'a RunWork<'a>,
    /// What is left of its tokens.
    pub(crate) tokens_left: Option<u64>,
    /// Whether the run's searches see only sources that the caller owns.
    pub(crate) own_sources_only: bool,
}

impl SubagentCaller<'_> {
    /// Asks another agent, as the same caller and out of the same budget.
    pub(crate) async fn ask(
        &self,
        step: u32,
        call: &ToolCall,
        agent: Uuid,
        arguments: &Value,
    ) -> Result<ToolAnswer, LeaseLost> {
        let Some(message) = arguments.get("message").and_then(Value::as_str).filter(|text| !text.trim().is_empty())
        else {
            return Ok(ToolAnswer::failure(&"the arguments need a message"));
        };
        if self.run.depth >= MAX_DEPTH {
            return Ok(ToolAnswer::failure(&StartError::Depth));
        }
        let child_id = child_id(self.run.id(), step, &call.id);
        let (tool_name, call_id) = (call.name.clone(), call.id.clone());
        let started = Event::DelegationStarted { step, tool_name, call_id, agent_id: agent, run_id: child_id.clone() };
        self.work.record(started).await?;
        let ended = self.run_below(agent, message, &child_id).await;
        let (tool_name, call_id) = (call.name.clone(), call.id.clone());
        let status = ended.as_ref().map_or("failed", |run| run.status.as_str()).to_owned();
        let completed =
            Event::DelegationCompleted { step, tool_name, call_id, agent_id: agent, run_id: child_id, status };
        self.work.record(completed).await?;
        Ok(ended.map_or_else(|error| ToolAnswer::failure(&error), answer))
    }

    /// Begins a run below this one, or finds it where an earlier host began it, and waits for its end.
    async fn run_below(&self, agent: Uuid, message: &str, child_id: &str) -> Result<RunRow, String> {
        let (control, principal) = (&self.environment.control, &self.run.principal);
        let mut cancel =
            CancelOnDrop::below(self.run.id(), control.clone(), Arc::clone(principal), child_id.to_owned());
        let ended = self.work.place.aside(self.begin_and_wait(agent, message, child_id)).await;
        cancel.disarm();
        ended
    }

    async fn begin_and_wait(&self, agent: Uuid, message: &str, child_id: &str) -> Result<RunRow, String> {
        let principal = &self.run.principal;
        if self.find(child_id).await?.is_none() {
            let request = self.request(message, child_id);
            self.starter.start_subagent(principal, agent, request).await.map_err(|error| error.to_string())?;
        }
        let mut follower = self.environment.control.follow_quietly(child_id);
        loop {
            self.environment.control.finished(child_id).await;
            follower.mark_seen();
            match self.find(child_id).await? {
                Some(run) if run.is_unfinished() => follower.changed().await,
                Some(run) => return Ok(run),
                None => return Err("the agent's run is gone".to_owned()),
            }
        }
    }

    async fn find(&self, child_id: &str) -> Result<Option<RunRow>, String> {
        self.environment.runs.find(&self.run.principal, child_id).await.map_err(|error| {
            tracing::warn!(run.id = %child_id, error = error.log_text(), "cannot read the run of an agent that was asked");
            "the agent's answer cannot be read".to_owned()
        })
    }

    fn request(&self, message: &str, child_id: &str) -> RunRequest {
        RunRequest {
            message: message.to_owned(),
            request_id: self.run.request_id.clone(),
            // What restricts the run that asks restricts those below it.
            knowledge: AskedKnowledge { own_sources_only: self.own_sources_only, ..AskedKnowledge::default() },
            parent: Some(ParentRun {
                run_id: self.run.id().to_owned(),
                child_id: child_id.to_owned(),
                depth: self.run.depth + 1,
                left: self.work.deadline.left(),
                tokens: self.tokens_left,
            }),
            ..RunRequest::default()
        }
    }
}

/// The answer of a run that is over.
fn answer(run: RunRow) -> ToolAnswer {
    let delegated_tokens = run.usage.get("total_tokens").and_then(Value::as_u64).unwrap_or_default();
    let answer = match (run.status.as_str(), run.error) {
        ("completed", _) => ToolAnswer { text: run.content.unwrap_or_default(), ..ToolAnswer::default() },
        (status, error) => ToolAnswer::failure(&error.unwrap_or_else(|| format!("the agent's run is {status}"))),
    };
    ToolAnswer { delegated_tokens, ..answer }
}

/// The same however often the call is tried, so that a host which resumes the run finds the run below it.
fn child_id(run_id: &str, step: u32, call_id: &str) -> String {
    let digest = Sha256::digest(format!("{run_id}\0{step}\0{call_id}"));
    format!("run_{}", hex::encode(digest.get(..6).unwrap_or_default()))
}
