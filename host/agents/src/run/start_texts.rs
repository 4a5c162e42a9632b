//! What is stored of a run's passages when the run begins.

use behalf_contracts::LeftOutTool;
use serde_json::{Value, json};
use uuid::Uuid;

use super::request::RunRequest;
use super::spec::RunSpec;
use crate::knowledge::{Quoted, StartSearch};
use crate::store::NewContextHandler;
use crate::text::{cut_chars, storable, storable_text};

/// Characters of a question that are kept with its search.
const MAX_QUERY_CHARS: usize = 8_000;

/// Tools that a warning names.
const MAX_LISTED: usize = 20;

/// What is stored of a run's passages when the run begins.
#[derive(Debug)]
pub(super) struct StartTexts {
    /// The passages.
    pub(super) retrieved: Value,
    /// Those that may be cited; none where citations were not asked for.
    pub(super) candidates: Option<Value>,
    /// Why the search gave nothing, or less than it might have, and which tools are missing.
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
            warning: warning(errors, spec.toolbox.left_out()),
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

/// Why a search gave nothing, and which tools are missing.
fn warning(errors: &[String], left_out: &[LeftOutTool]) -> Option<String> {
    let search = (!errors.is_empty()).then(|| format!("Knowledge base retrieval failed: {}", errors.join("; ")));
    let listed: Vec<_> = left_out.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    let more = left_out.len().saturating_sub(MAX_LISTED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let tools = (!listed.is_empty()).then(|| format!("Tools left out: {}{more}", listed.join("; ")));
    let both: Vec<_> = search.into_iter().chain(tools).map(storable_text).collect();
    (!both.is_empty()).then(|| both.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_names_what_is_missing_and_has_an_end() {
        let tool = |name: &str| LeftOutTool { name: name.to_owned(), reason: "its name is there twice".to_owned() };
        assert_eq!(warning(&[], &[]), None);
        let both = warning(&["no base".to_owned()], &[tool("a")]);
        let expected = "Knowledge base retrieval failed: no base\nTools left out: a: its name is there twice";
        assert_eq!(both.as_deref(), Some(expected));
        let many = warning(&[], &vec![tool("b"); 100]).expect("some are missing");
        assert!(many.ends_with("; and 80 more") && many.len() < 2_000, "{many}");
    }
}
