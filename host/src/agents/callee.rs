//! An agent as a tool of another.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Agents;
use super::calls::{Answer, Caller};
use super::error::MAX_DEPTH;
use super::event::Event;
use super::recorder::Gone;
use super::request::{Parent, RunRequest};
use crate::db::{RunRow, ToolAssignment};
use crate::identity::Principal;
use crate::models::ToolCall;
use crate::tools::{ToolInfo, ToolKind};

/// What a model is told of a tool that asks an agent.
pub(super) fn tool_info(assignment: &ToolAssignment) -> ToolInfo {
    ToolInfo {
        id: None,
        kind: ToolKind::Agent,
        name: assignment.tool_name.clone(),
        title: None,
        description: format!(
            "Asks the agent {:?}, which works with tools of its own and answers in words. It knows nothing of this conversation: \
             say everything it needs in the message.",
            assignment.tool_name
        ),
        input_schema: json!({
            "type": "object",
            "properties": { "message": { "type": "string", "minLength": 1, "description": "The question or task." } },
            "required": ["message"],
            "additionalProperties": false,
        }),
        output_schema: None,
        annotations: json!({}),
        read_only: false,
        plugin: None,
        reaches_out: false,
    }
}

/// How often a run is looked at that another host works on.
const LOOK: Duration = Duration::from_millis(300);

impl Caller<'_> {
    /// Asks another agent, as the same caller and out of the same budget. Its run is one of its own, below this one.
    pub(super) async fn delegate(
        &self,
        step: u32,
        call: &ToolCall,
        agent: Uuid,
        arguments: &Value,
    ) -> Result<Answer, Gone> {
        let Some(message) = arguments.get("message").and_then(Value::as_str).filter(|text| !text.trim().is_empty())
        else {
            return Ok(Answer::failure(&"the arguments need a message"));
        };
        if self.depth >= MAX_DEPTH {
            return Ok(Answer::failure(&format!("agents may ask each other {MAX_DEPTH} times in a row, no more")));
        }
        let child_id = child_id(&self.hold.run_id, step, &call.id);
        let request = RunRequest {
            message: message.to_owned(),
            request_id: self.context.request_id.clone(),
            parent: Some(Parent {
                run_id: self.hold.run_id.clone(),
                child_id: child_id.clone(),
                depth: self.depth + 1,
                left: self.deadline.left(),
                tokens: self.tokens_left,
            }),
            ..RunRequest::default()
        };
        let (tool_name, call_id) = (call.name.clone(), call.id.clone());
        let started = Event::DelegationStarted { step, tool_name, call_id, agent_id: agent, run_id: child_id.clone() };
        self.recorder.record(started).await?;
        let guard = CancelOnDrop {
            agents: self.agents,
            principal: self.principal,
            parent: &self.hold.run_id,
            run_id: &child_id,
            armed: true,
        };
        let ended = self.agents.run_child(self.principal, agent, request, &child_id).await;
        guard.disarm();
        let (tool_name, call_id) = (call.name.clone(), call.id.clone());
        let status = ended.as_ref().map_or("failed", |run| run.status.as_str()).to_owned();
        self.recorder
            .record(Event::DelegationCompleted { step, tool_name, call_id, agent_id: agent, run_id: child_id, status })
            .await?;
        let run = match ended {
            Ok(run) => run,
            Err(error) => return Ok(Answer::failure(&error)),
        };
        let delegated_tokens = run.usage.get("total_tokens").and_then(Value::as_u64).unwrap_or_default();
        let answer = match (run.status.as_str(), run.error) {
            ("completed", _) => Answer { text: run.content.unwrap_or_default(), ..Answer::default() },
            (status, error) => Answer::failure(&error.unwrap_or_else(|| format!("the agent's run is {status}"))),
        };
        Ok(Answer { delegated_tokens, ..answer })
    }
}

impl Agents {
    /// Begins a run below another one, or finds it where an earlier host began it, and waits for its end.
    async fn run_child(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        agent: Uuid,
        request: RunRequest,
        child_id: &str,
    ) -> Result<RunRow, String> {
        let away = |error: sqlx::Error| {
            tracing::warn!(run.id = %child_id, error = %error, "cannot read the run of an agent that was asked");
            "the agent's answer cannot be read".to_owned()
        };
        if self.db.run(principal, child_id).await.map_err(away)?.is_none() {
            // Boxed, because a run may begin a run.
            Box::pin(self.start(principal, agent, request)).await.map_err(|error| error.to_string())?;
        }
        loop {
            self.finished(child_id).await;
            match self.db.run(principal, child_id).await.map_err(away)? {
                Some(run) if run.status == "running" || run.status == "pending" => tokio::time::sleep(LOOK).await,
                Some(run) => return Ok(run),
                None => return Err("the agent's run is gone".to_owned()),
            }
        }
    }
}

/// Ends the run of an agent that was asked where nobody waits for it any more.
struct CancelOnDrop<'a> {
    agents: &'a Arc<Agents>,
    principal: &'a Arc<Principal>,
    parent: &'a str,
    run_id: &'a str,
    armed: bool,
}

impl CancelOnDrop<'_> {
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        // Where the run above goes on elsewhere, it still waits for this one.
        if !self.armed || self.agents.live.has_left(self.parent) {
            return;
        }
        let (agents, principal, run_id) = (Arc::clone(self.agents), Arc::clone(self.principal), self.run_id.to_owned());
        tokio::spawn(async move { agents.cancel(&principal, &run_id).await.map(drop) });
    }
}

/// The same however often the call is tried, so that a host which takes the run over finds the run below it.
fn child_id(run_id: &str, step: u32, call_id: &str) -> String {
    let digest = Sha256::digest(format!("{run_id}\0{step}\0{call_id}"));
    format!("run_{}", hex::encode(digest.get(..6).unwrap_or_default()))
}
