//! A knowledge base that a run searches, and how.

use behalf_contracts::SearchMethod;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Chunks of one search.
const MAX_TOP_K: u32 = 100;
/// As on the platform.
const MIN_TOKENS: u32 = 100;
const MAX_TOKENS: u32 = 256_000;

/// How one base is searched. What is absent is as the base has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SearchConfig {
    /// Chunks at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) top_k: Option<u32>,
    /// `vector_search`, `full_text`, `hybrid` or `tree_search`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retrieval_method: Option<String>,
    /// The least score, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) similarity_threshold: Option<f32>,
    /// Tokens of what is found, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_context_tokens: Option<u32>,
}

/// A base that is searched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SearchedBase {
    /// The base.
    pub(crate) id: Uuid,
    /// How.
    #[serde(flatten)]
    pub(crate) config: SearchConfig,
}

/// The fields of [`SearchConfig`].
const CONFIG_FIELDS: [&str; 4] = ["top_k", "retrieval_method", "similarity_threshold", "max_context_tokens"];

impl SearchConfig {
    /// Reads what a client or an assignment says; the error names the field. Other fields are left alone.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, String> {
        let number = |name: &str, least: u32, most: u32| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let read = value.as_u64().and_then(|number| u32::try_from(number).ok());
                let fits = read.filter(|number| (least..=most).contains(number));
                fits.map(Some).ok_or_else(|| format!("{name} must be a whole number from {least} to {most}"))
            }
        };
        Ok(Self {
            top_k: number("top_k", 1, MAX_TOP_K)?,
            max_context_tokens: number("max_context_tokens", MIN_TOKENS, MAX_TOKENS)?,
            retrieval_method: method(fields.get("retrieval_method"))?,
            similarity_threshold: threshold(fields.get("similarity_threshold"))?,
        })
    }

    /// How chunks are found.
    pub(crate) fn method(&self) -> Option<SearchMethod> {
        self.retrieval_method.as_deref().and_then(parse_method)
    }
}

fn parse_method(name: &str) -> Option<SearchMethod> {
    match name {
        "vector_search" => Some(SearchMethod::Vector),
        "full_text" => Some(SearchMethod::FullText),
        "hybrid" => Some(SearchMethod::Hybrid),
        "tree_search" => Some(SearchMethod::Tree),
        _ => None,
    }
}

fn method(value: Option<&Value>) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if parse_method(name).is_some() => Ok(Some(name.clone())),
        Some(_) => Err("retrieval_method must be vector_search, full_text, hybrid or tree_search".to_owned()),
    }
}

fn threshold(value: Option<&Value>) -> Result<Option<f32>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let fits = value.as_f64().filter(|number| (0.0..=1.0).contains(number));
            #[expect(clippy::cast_possible_truncation, reason = "a number from 0 to 1 needs no more precision")]
            let read = fits.map(|number| number as f32);
            read.map(Some).ok_or_else(|| "similarity_threshold must be a number from 0 to 1".to_owned())
        }
    }
}

/// Reads a list of bases, each a uuid or an object with `id` or `knowledge_base_id` and what [`SearchConfig`] has. A base that is named
/// twice counts once. Where `strict`, each must be an object without other fields.
pub(crate) fn read_bases(list: &Value, name: &str, most: usize, strict: bool) -> Result<Vec<SearchedBase>, String> {
    let items = list.as_array().filter(|items| items.len() <= most);
    let items = items.ok_or_else(|| format!("{name} must be a list of at most {most} knowledge bases"))?;
    let mut bases: Vec<SearchedBase> = Vec::with_capacity(items.len());
    for item in items {
        let base = read_base(item, strict).map_err(|fault| format!("{name}: {fault}"))?;
        if !bases.iter().any(|other| other.id == base.id) {
            bases.push(base);
        }
    }
    Ok(bases)
}

fn read_base(item: &Value, strict: bool) -> Result<SearchedBase, String> {
    let wanted = || "each entry must be an object with the id of a knowledge base".to_owned();
    let fields = match item {
        Value::String(_) if !strict => {
            return Ok(SearchedBase { id: id(item).ok_or_else(wanted)?, config: SearchConfig::default() });
        }
        Value::Object(fields) => fields,
        _ => return Err(wanted()),
    };
    let is_known = |name: &str| matches!(name, "id" | "knowledge_base_id") || CONFIG_FIELDS.contains(&name);
    if strict && let Some(unknown) = fields.keys().find(|name| !is_known(name)) {
        let unknown: String = unknown.chars().take(50).collect();
        return Err(format!("{unknown:?} is no field of an entry"));
    }
    let named = fields.get("id").or_else(|| fields.get("knowledge_base_id"));
    Ok(SearchedBase { id: named.and_then(id).ok_or_else(wanted)?, config: SearchConfig::read(fields)? })
}

fn id(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(value.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "a11ce000-0000-4000-8000-000000000001";

    #[test]
    fn a_base_is_named_by_its_id() {
        let read =
            read_bases(&json!([ONE, { "id": ONE, "top_k": 3 }, { "knowledge_base_id": ONE }]), "bases", 10, false);
        assert_eq!(read.map(|bases| bases.len()), Ok(1));
        for bad in
            [json!("a"), json!(["a"]), json!([{ "name": "docs" }]), json!([{ "id": ONE, "top_k": 0 }]), json!([1])]
        {
            assert!(read_bases(&bad, "bases", 10, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn strict_entries_have_no_other_fields() {
        let entry = json!({ "id": ONE, "top_k": 3, "retrieval_method": "full_text", "similarity_threshold": 0.5 });
        let read = read_bases(&json!([entry]), "bases", 10, true).expect("it is well formed");
        assert_eq!(read.first().map(|base| base.config.method()), Some(Some(SearchMethod::FullText)));
        for bad in [json!([ONE]), json!([{ "id": ONE, "weight": 1 }]), json!(vec![json!({ "id": ONE }); 11])] {
            assert!(read_bases(&bad, "bases", 10, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_base_reads_back_as_it_was_kept() {
        let base = SearchedBase {
            id: ONE.parse().expect("a uuid"),
            config: SearchConfig { top_k: Some(3), max_context_tokens: Some(500), ..SearchConfig::default() },
        };
        let kept = serde_json::to_value(&base).expect("JSON");
        assert_eq!(kept, json!({ "id": ONE, "top_k": 3, "max_context_tokens": 500 }));
        assert_eq!(serde_json::from_value::<SearchedBase>(kept).expect("the same"), base);
    }
}
