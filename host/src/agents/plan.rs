use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::error::StartError;
use super::request::RunRequest;
use super::settings::{AgentSettings, Bounds};
use super::toolbox::Toolbox;
use super::window;
use crate::db::{AgentRow, ToolAssignment};
use crate::models::{ChatRequest, Message, ResponseFormat, ToolSpec};
use crate::tools::Tools;

/// The line after which passages stand in the instructions; the built-in model looks for it.
const CONTEXT_MARK: &str = "Context:";

/// Everything a run goes by. Made once, before it begins: a change of the agent holds for its next run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) agent_id: Uuid,
    pub(super) model: String,
    pub(super) bounds: Bounds,
    pub(super) toolbox: Toolbox,
    system: Option<String>,
    specs: Vec<ToolSpec>,
    response_format: Option<ResponseFormat>,
}

impl Plan {
    /// Puts together what the operator set and what the request asks for.
    pub(super) fn new(
        agent: AgentRow,
        assigned: Vec<ToolAssignment>,
        request: &RunRequest,
        tools: &Arc<Tools>,
        default_model: &str,
    ) -> Result<Self, StartError> {
        let bounds = AgentSettings::read(&agent.settings).map_err(StartError::Settings)?.bounds(request.wishes);
        let toolbox = Toolbox::new(tools, assigned);
        Ok(Self {
            agent_id: agent.id,
            model: agent.model.unwrap_or_else(|| default_model.to_owned()),
            system: with_context(
                below(agent.system_prompt, request.instructions.as_deref()),
                &request.context,
                window::chars(bounds.context_tokens),
            ),
            specs: toolbox.specs(),
            response_format: request.response_format.clone(),
            bounds,
            toolbox,
        })
    }

    /// The question to the model: what was said, and the tools unless they are withheld.
    pub(super) fn ask(&self, history: &[Vec<Message>], current: &[Message], withhold_tools: bool) -> ChatRequest {
        let tools = if withhold_tools { Vec::new() } else { self.specs.clone() };
        let room = window::chars(self.bounds.context_tokens).saturating_sub(window::chars_of_tools(&tools));
        ChatRequest {
            model: Some(self.model.clone()),
            messages: window::fit(self.system.as_deref(), history, current, room),
            tools,
            temperature: self.bounds.temperature,
            max_tokens: self.bounds.max_tokens,
            response_format: self.response_format.clone(),
            reasoning_effort: self.bounds.reasoning_effort,
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

/// The instructions with numbered passages, as many as fit.
fn with_context(system: Option<String>, passages: &[String], room: usize) -> Option<String> {
    if passages.is_empty() {
        return system;
    }
    let mut text = system.filter(|text| !text.is_empty()).map(|text| text + "\n\n").unwrap_or_default();
    text.push_str(CONTEXT_MARK);
    let mut left = room.saturating_sub(text.chars().count());
    for (place, passage) in passages.iter().enumerate() {
        let entry = format!("\n[{}] {}\n", place + 1, passage.trim());
        let cut: String = entry.chars().take(left).collect();
        left -= cut.chars().count();
        text.push_str(&cut);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_are_numbered_and_cut_to_the_room_there_is() {
        let passages = ["The moon is far.".to_owned(), "Leave lasts four weeks.".to_owned()];
        let all = with_context(Some("Be brief.".to_owned()), &passages, 1_000).unwrap_or_default();
        assert_eq!(all, "Be brief.\n\nContext:\n[1] The moon is far.\n\n[2] Leave lasts four weeks.\n");
        let some = with_context(None, &passages, 20).unwrap_or_default();
        assert_eq!(some, "Context:\n[1] The moo");
        assert_eq!(with_context(None, &[], 20), None);
    }

    #[test]
    fn what_a_client_adds_stands_below_the_agent_s_own_instructions() {
        assert_eq!(
            below(Some("Be brief.".to_owned()), Some("Be funny.")).as_deref(),
            Some("Be brief.\n\nThe application adds:\nBe funny.")
        );
        assert_eq!(below(None, Some(" ")), None);
    }

    #[test]
    fn a_stored_run_is_read_whole_or_not_at_all() {
        let good = serde_json::json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }]);
        let bad = serde_json::json!([{ "role": "user", "content": "a" }, { "role": "wizard" }]);
        let runs = [good, bad].map(|run| run.as_array().cloned().unwrap_or_default()).to_vec();
        assert_eq!(Plan::history(runs), [[Message::user("a"), Message::assistant("b")]]);
    }
}
