use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::error::StartError;
use super::passages::{self, Passage};
use super::request::RunRequest;
use super::settings::{AgentSettings, Bounds};
use super::toolbox::Toolbox;
use super::window;
use crate::db::{AgentRow, ToolAssignment};
use crate::models::{Access, ChatRequest, Message, ResponseFormat, ToolSpec};
use crate::tools::{McpTool, Tools};

/// Everything a run goes by. Made once, before it begins: a change of the agent holds for its next run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) agent_id: Uuid,
    pub(super) model: String,
    pub(super) bounds: Bounds,
    pub(super) toolbox: Toolbox,
    /// The passages that stand in the instructions, as clients learn of them.
    pub(super) retrieved: Vec<Value>,
    system: Option<String>,
    specs: Vec<ToolSpec>,
    response_format: Option<ResponseFormat>,
    /// The agent's own keys for providers.
    pub(super) accesses: Vec<Access>,
}

impl Plan {
    /// Puts together what the operator set and what the request asks for.
    pub(super) fn new(
        agent: AgentRow,
        assigned: Vec<ToolAssignment>,
        request: &RunRequest,
        passages: &[Passage],
        tools: &Arc<Tools>,
        default_model: &str,
    ) -> Result<Self, StartError> {
        let mut bounds = AgentSettings::read(&agent.settings).map_err(StartError::Settings)?.bounds(request.wishes);
        if let Some(parent) = &request.parent {
            bounds.timeout = bounds.timeout.min(parent.left);
            bounds.total_tokens = match (bounds.total_tokens, parent.tokens) {
                (Some(own), Some(left)) => Some(own.min(left)),
                (own, left) => own.or(left),
            };
        }
        let toolbox = Toolbox::new(tools, assigned);
        let own = below(agent.system_prompt, request.instructions.as_deref());
        let (system, retrieved) = passages::with_passages(own, passages, window::chars(bounds.context_tokens));
        Ok(Self {
            agent_id: agent.id,
            model: agent.model.unwrap_or_else(|| default_model.to_owned()),
            system,
            retrieved,
            specs: toolbox.specs(),
            response_format: request.response_format.clone(),
            accesses: Vec::new(),
            bounds,
            toolbox,
        })
    }

    /// Adds what the agent's MCP servers offer whoever the run is for.
    pub(super) fn offer(&mut self, offered: &[Arc<McpTool>]) {
        self.toolbox.offer(offered);
        self.specs = self.toolbox.specs();
    }

    /// The question to the model: what was said, and the tools unless they are withheld.
    pub(super) fn ask(
        &self,
        model: &str,
        history: &[Vec<Message>],
        current: &[Message],
        withhold_tools: bool,
    ) -> ChatRequest {
        let tools = if withhold_tools { Vec::new() } else { self.specs.clone() };
        let room = window::chars(self.bounds.context_tokens).saturating_sub(window::chars_of_tools(&tools));
        ChatRequest {
            model: Some(model.to_owned()),
            messages: window::fit(self.system.as_deref(), history, current, room),
            tools,
            temperature: self.bounds.temperature,
            max_tokens: self.bounds.max_tokens,
            response_format: self.response_format.clone(),
            reasoning_effort: self.bounds.reasoning_effort,
            accesses: self.accesses.clone(),
        }
    }

    /// What was said in earlier runs. A run that cannot be read is left out whole.
    pub(super) fn history(runs: Vec<Vec<Value>>) -> Vec<Vec<Message>> {
        let read =
            |run: Vec<Value>| run.into_iter().map(serde_json::from_value).collect::<Result<Vec<Message>, _>>().ok();
        runs.into_iter().filter_map(read).collect()
    }
}

/// The agent's instructions, and under them the client's, which never stand in for them.
fn below(own: Option<String>, client: Option<&str>) -> Option<String> {
    let Some(client) = client.filter(|text| !text.trim().is_empty()) else { return own };
    let own = own.filter(|text| !text.is_empty()).map(|text| text + "\n\n").unwrap_or_default();
    Some(format!("{own}The application adds:\n{client}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_run_is_read_whole_or_not_at_all() {
        let good = serde_json::json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }]);
        let bad = serde_json::json!([{ "role": "user", "content": "a" }, { "role": "wizard" }]);
        let runs = [good, bad].map(|run| run.as_array().cloned().unwrap_or_default()).to_vec();
        assert_eq!(Plan::history(runs), [[Message::user("a"), Message::assistant("b")]]);
    }
}
