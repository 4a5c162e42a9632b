//! The tool by which a run's model searches the agent's bases.

use std::sync::Arc;

use behalf_contracts::{BaseInfo, ToolInfo};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::base::SearchedBase;
use super::frame::plain_name;
use super::search::context_tokens;

/// The bundled tool that searches knowledge bases.
pub(crate) const KNOWLEDGE_SEARCH: &str = "knowledge_search";

/// Its parameter that names bases.
const NAMES: &str = "knowledge_base_names";
/// Its parameter that says how many chunks.
const TOP_K: &str = "top_k";
/// Tokens of one answer, as on the platform.
const DEFAULT_TOKENS: u32 = 16_000;

/// What the calls of a tool are narrowed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchScope {
    /// The only bases that are searched.
    pub(crate) bases: Arc<[Uuid]>,
    /// Tokens of one answer.
    pub(crate) tokens: u32,
    /// The names that the model knows bases by.
    names: Vec<(String, Uuid)>,
}

impl SearchScope {
    /// Puts ids in place of names, because the caller may see other bases of the same names.
    pub(crate) fn name_by_id(&self, arguments: &mut Value) {
        let Some(Value::Array(named)) = arguments.get_mut(NAMES) else { return };
        for name in named {
            let found = self.names.iter().find(|(known, _)| name == known);
            if let Some((_, id)) = found {
                *name = json!(id);
            }
        }
    }
}

/// The tool for an agent with these bases, of which the caller sees `visible`: as its model sees it, the arguments that are forced,
/// and what its calls are narrowed to.
pub(super) fn narrowed(
    mut info: ToolInfo,
    bases: &[SearchedBase],
    visible: &[BaseInfo],
) -> (ToolInfo, Map<String, Value>, SearchScope) {
    let names = names_of(visible);
    let mut forced = Map::new();
    let properties = info.input_schema.get_mut("properties").and_then(Value::as_object_mut);
    let mut removed = Vec::new();
    if let Some(properties) = properties {
        // How much is found is the operator's to say.
        let top_k = bases.iter().filter_map(|base| base.config.top_k).max();
        if properties.remove(TOP_K).is_some() {
            removed.push(TOP_K);
            forced.extend(top_k.map(|top_k| (TOP_K.to_owned(), json!(top_k))));
        }
        if properties.remove(NAMES).is_some() {
            if names.len() > 1 {
                properties.insert(NAMES.to_owned(), names_schema(visible, &names));
            } else {
                removed.push(NAMES);
            }
        }
    }
    if let Some(required) = info.input_schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !removed.iter().any(|removed| name == removed));
    }
    let scope = SearchScope {
        bases: bases.iter().map(|base| base.id).collect(),
        tokens: context_tokens(bases).unwrap_or(DEFAULT_TOKENS),
        names,
    };
    (info, forced, scope)
}

/// The names that a model knows bases by. Two bases of one name are told apart by their ids.
fn names_of(visible: &[BaseInfo]) -> Vec<(String, Uuid)> {
    let is_alone = |base: &BaseInfo| visible.iter().filter(|other| other.name == base.name).count() == 1;
    let name = |base: &BaseInfo| if is_alone(base) { base.name.clone() } else { base.id.to_string() };
    visible.iter().map(|base| (name(base), base.id)).collect()
}

fn names_schema(visible: &[BaseInfo], names: &[(String, Uuid)]) -> Value {
    let names: Vec<_> = names.iter().map(|(name, _)| name).collect();
    let about = |base: &BaseInfo| {
        let description = base.description.as_deref().filter(|text| !text.trim().is_empty());
        description.map(|text| format!(" \"{}\": {}.", plain_name(&base.name), plain_name(text)))
    };
    let described: String = visible.iter().filter_map(about).collect();
    json!({
        "type": "array",
        "items": { "type": "string", "enum": names },
        "description": format!("The knowledge bases to search; all of them where absent.{described}"),
    })
}

#[cfg(test)]
mod tests {
    use behalf_contracts::ToolKind;
    use behalf_sandbox::Effects;

    use super::super::base::SearchConfig;
    use super::*;

    fn tool() -> ToolInfo {
        ToolInfo {
            id: None,
            kind: ToolKind::Wasm,
            name: KNOWLEDGE_SEARCH.to_owned(),
            title: None,
            description: "Searches.".to_owned(),
            input_schema: json!({
                "type": "object", "required": ["query", "knowledge_base_names"],
                "properties": { "query": { "type": "string" }, "knowledge_base_names": { "type": "array" }, "top_k": { "type": "integer" } },
            }),
            output_schema: None,
            annotations: json!({}),
            resource: None,
            prompt: false,
            plugin: Some("knowledge-search".to_owned()),
            full_name: None,
            effects: Effects::elsewhere(true),
        }
    }

    fn base(id: u128, top_k: Option<u32>, tokens: Option<u32>) -> SearchedBase {
        let config = SearchConfig { top_k, max_context_tokens: tokens, ..SearchConfig::default() };
        SearchedBase { id: Uuid::from_u128(id), config }
    }

    fn seen(id: u128, name: &str) -> BaseInfo {
        BaseInfo { id: Uuid::from_u128(id), name: name.to_owned(), description: None }
    }

    #[test]
    fn one_base_needs_no_name() {
        let (info, forced, scope) = narrowed(tool(), &[base(1, Some(4), Some(900))], &[seen(1, "docs")]);
        assert_eq!(info.input_schema["properties"], json!({ "query": { "type": "string" } }));
        assert_eq!(
            (&info.input_schema["required"], forced),
            (&json!(["query"]), Map::from_iter([("top_k".to_owned(), json!(4))]))
        );
        assert_eq!((scope.bases.len(), scope.tokens), (1, 900));
    }

    #[test]
    fn of_several_bases_only_those_are_named_that_the_caller_sees() {
        let bases = [base(1, None, None), base(2, None, None), base(3, None, None), base(4, None, None)];
        let visible = [seen(1, "docs"), seen(2, "docs"), seen(4, "rules")];
        let (info, forced, scope) = narrowed(tool(), &bases, &visible);
        let names = &info.input_schema["properties"]["knowledge_base_names"]["items"]["enum"];
        assert_eq!(*names, json!([Uuid::from_u128(1).to_string(), Uuid::from_u128(2).to_string(), "rules"]));
        let mut arguments = json!({ "query": "q", "knowledge_base_names": ["rules", "docs", 7] });
        scope.name_by_id(&mut arguments);
        assert_eq!(arguments["knowledge_base_names"], json!([Uuid::from_u128(4), "docs", 7]));
        assert!(forced.is_empty() && info.input_schema["properties"].get("top_k").is_none());
        assert_eq!((scope.bases.len(), scope.tokens), (4, DEFAULT_TOKENS));
    }
}
