//! What a run goes by: the agent as it was when the run began, and the request.

use behalf_contracts::OfferedTools;
use behalf_models::{Access, ChatRequest, Message, ResponseFormat, ToolSpec};
use uuid::Uuid;

use super::error::StartError;
use super::request::RunRequest;
use super::window;
use crate::knowledge::{CITE, Passage, Quoted, with_passages};
use crate::settings::{AgentSettings, RunBudget};
use crate::store::Agent;
use crate::toolbox::Toolbox;

/// Everything that a run goes by. Made once, before the run begins: a change of the agent holds for its next run.
#[derive(Debug)]
pub(crate) struct RunSpec {
    pub(crate) model: String,
    pub(crate) budget: RunBudget,
    pub(crate) toolbox: Toolbox,
    /// The passages that stand in the instructions.
    pub(crate) quoted: Vec<Quoted>,
    /// Whether the answer is to cite its passages.
    pub(crate) cites: bool,
    /// Whether its searches see only sources that the caller owns.
    pub(crate) own_sources_only: bool,
    /// The search that found the passages.
    pub(crate) handler: Option<Uuid>,
    system: Option<String>,
    specs: Vec<ToolSpec>,
    response_format: Option<ResponseFormat>,
    /// The agent's own keys for providers.
    pub(crate) accesses: Vec<Access>,
}

impl RunSpec {
    /// Puts the agent and the request together.
    pub(crate) fn new(
        agent: Agent,
        toolbox: Toolbox,
        request: &RunRequest,
        passages: &[Passage],
        default_model: &str,
    ) -> Result<Self, StartError> {
        let mut budget = AgentSettings::read(&agent.settings).map_err(StartError::Settings)?.budget(request.overrides);
        if let Some(parent) = &request.parent {
            budget.timeout = budget.timeout.min(parent.left);
            budget.total_tokens = match (budget.total_tokens, parent.tokens) {
                (Some(own), Some(left)) => Some(own.min(left)),
                (own, left) => own.or(left),
            };
        }
        let asked = &request.knowledge;
        let cites = asked.citations && (!passages.is_empty() || !asked.searchable.is_empty());
        let own = below(agent.system_prompt, request.instructions.as_deref());
        let own = if cites { Some(own.map(|own| own + "\n\n").unwrap_or_default() + CITE) } else { own };
        let room = window::chars(budget.context_tokens);
        let (system, quoted) = with_passages(own, passages, (room, asked.passage_tokens.map_or(room, window::chars)));
        Ok(Self {
            model: agent.model.unwrap_or_else(|| default_model.to_owned()),
            system,
            quoted,
            cites: asked.citations,
            own_sources_only: asked.own_sources_only,
            handler: asked.handler,
            specs: toolbox.specs(),
            response_format: request.response_format.clone(),
            accesses: Vec::new(),
            budget,
            toolbox,
        })
    }

    /// Adds the tools that the agent's MCP servers offer the caller.
    pub(crate) fn offer(&mut self, offered: OfferedTools) {
        self.toolbox.offer(offered);
        self.specs = self.toolbox.specs();
    }

    /// The request to the model: the messages, and the tools unless they are withheld.
    pub(crate) fn ask(
        &self,
        model: &str,
        history: &[Vec<Message>],
        current: &[Message],
        withhold_tools: bool,
    ) -> ChatRequest {
        let tools = if withhold_tools { Vec::new() } else { self.specs.clone() };
        let room = window::chars(self.budget.context_tokens).saturating_sub(window::chars_of_tools(&tools));
        ChatRequest {
            model: Some(model.to_owned()),
            messages: window::fit(self.system.as_deref(), history, current, room),
            tools,
            temperature: self.budget.temperature,
            max_tokens: self.budget.max_tokens,
            response_format: self.response_format.clone(),
            reasoning_effort: self.budget.reasoning_effort,
            accesses: self.accesses.clone(),
        }
    }
}

/// The agent's instructions, and under them the client's, which never stand in for them.
fn below(own: Option<String>, client: Option<&str>) -> Option<String> {
    let Some(client) = client.filter(|text| !text.trim().is_empty()) else { return own };
    let own = own.filter(|text| !text.is_empty()).map(|text| text + "\n\n").unwrap_or_default();
    Some(format!("{own}The application adds:\n{client}"))
}
