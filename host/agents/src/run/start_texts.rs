//! What is stored of a run's passages when the run begins.

use serde_json::{Value, json};
use uuid::Uuid;

use super::request::RunRequest;
use super::spec::RunSpec;
use crate::knowledge::{Quoted, StartSearch};
use crate::store::NewContextHandler;
use crate::text::{cut_chars, storable, storable_text};

/// Characters of a question that are kept with its search.
const MAX_QUERY_CHARS: usize = 8_000;

/// What is stored of a run's passages when the run begins.
#[derive(Debug)]
pub(super) struct StartTexts {
    /// The passages.
    pub(super) retrieved: Value,
    /// Those that may be cited; none where citations were not asked for.
    pub(super) candidates: Option<Value>,
    /// Why the search gave nothing, or less than it might have.
    pub(super) warning: Option<String>,
    query: String,
    configs: Value,
    errors: Value,
    tokens: u32,
}

impl StartTexts {
    /// Of a run that goes by `spec`, and the search that was made for it.
    pub(super) fn new(request: &RunRequest, spec: &RunSpec, search: Option<&StartSearch>) -> Self {
        let errors = search.map(|search| search.errors.as_slice()).unwrap_or_default();
        Self {
            retrieved: storable(spec.quoted.iter().map(Quoted::shown).collect()),
            candidates: spec.cites.then(|| storable(spec.quoted.iter().map(Quoted::citation).collect())),
            warning: (!errors.is_empty()).then(|| format!("Knowledge base retrieval failed: {}", errors.join("; "))),
            query: storable_text(cut_chars(&request.message, MAX_QUERY_CHARS)),
            configs: json!(search.map(|search| search.bases.as_slice()).unwrap_or_default()),
            errors: json!(errors),
            tokens: request.knowledge.passage_tokens.unwrap_or(spec.budget.context_tokens),
        }
    }

    /// The search that was made for the run.
    pub(super) fn search<'a>(&'a self, run_id: &'a str, id: Option<Uuid>) -> Option<NewContextHandler<'a>> {
        Some(NewContextHandler {
            id: id?,
            run_id: Some(run_id),
            tool_name: None,
            query: &self.query,
            configs: &self.configs,
            max_context_tokens: self.tokens,
            formatted: None,
            retrieved: &self.retrieved,
            errors: &self.errors,
        })
    }
}
