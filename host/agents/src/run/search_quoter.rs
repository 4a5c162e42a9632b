//! Turns what the tool `knowledge_search` found into quotations with the run's numbers, and stores the search.

use std::sync::atomic::Ordering;

use behalf_problem::LogText as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::LeaseLost;
use super::event::Event;
use super::executor::MODEL_CHARS;
use super::leased_run::LeasedRun;
use super::tool_answer::ToolAnswer;
use super::window;
use super::work::RunWork;
use crate::knowledge::{Quoted, quote_result};
use crate::store::{ContextHandlerStore, NewContextHandler};
use crate::text::{cut_chars, storable_text};
use crate::toolbox::BoundTool;

/// Tokens of an answer where no base of the agent bounds them.
const DEFAULT_TOKENS: u32 = 16_000;
/// Characters of a question that are kept.
const MAX_QUERY_CHARS: usize = 8_000;

/// Quotes what one run's searches found.
#[derive(Clone, Copy, Debug)]
pub(super) struct SearchQuoter<'a> {
    /// Keeps the searches.
    pub(super) handlers: &'a ContextHandlerStore,
    /// The run.
    pub(super) run: &'a LeasedRun,
    /// What its steps share.
    pub(super) work: &'a RunWork<'a>,
}

impl SearchQuoter<'_> {
    /// The answer of the tool with numbered passages. An answer of another form is left as it is.
    pub(super) async fn quote(
        &self,
        answer: ToolAnswer,
        tool: &BoundTool,
        arguments: &Value,
    ) -> Result<ToolAnswer, LeaseLost> {
        let tokens = tool.scope.as_ref().map_or(DEFAULT_TOKENS, |scope| scope.tokens);
        let room = window::chars(tokens).min(MODEL_CHARS);
        // Searches of one step run at the same time, and no two passages of a run have one number.
        let first = |passages| self.work.numbered.fetch_add(passages, Ordering::Relaxed).saturating_add(1);
        let Some((text, quoted)) = quote_result(&answer.text, first, room) else { return Ok(answer) };
        let query = arguments.get("query").and_then(Value::as_str).unwrap_or_default();
        self.store(tool, query, (&quoted, tokens)).await?;
        Ok(ToolAnswer { text, quoted, ..answer })
    }

    /// Stores the search and tells of it. A search that cannot be stored was made all the same.
    async fn store(&self, tool: &BoundTool, query: &str, (quoted, tokens): (&[Quoted], u32)) -> Result<(), LeaseLost> {
        let bases: Vec<_> =
            tool.scope.iter().flat_map(|scope| scope.bases.iter()).map(|id| json!({ "id": id })).collect();
        let query = storable_text(cut_chars(query, MAX_QUERY_CHARS));
        let new = NewContextHandler {
            id: Uuid::new_v4(),
            run_id: Some(self.run.id()),
            tool_name: Some(&tool.info.name),
            query: &query,
            configs: &json!(bases),
            max_context_tokens: tokens,
            formatted: None,
            retrieved: &json!(quoted.iter().map(Quoted::shown).collect::<Vec<_>>()),
            errors: &json!([]),
        };
        if let Err(error) = self.handlers.create(&self.run.principal, &new).await {
            tracing::warn!(run.id = %self.run.id(), error = error.log_text(), "a search of a run cannot be stored");
            return Ok(());
        }
        let tool_name = tool.info.name.clone();
        self.work.record(Event::ContextHandlerCreated { context_handler_id: new.id, tool_name, query }).await
    }
}
