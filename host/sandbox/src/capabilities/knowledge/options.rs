//! The options of a search, as a guest writes them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::grant::MAX_NAME;
use super::search::{KnowledgeError, KnowledgeMethod};

/// Bytes of all options together.
const MAX_OPTIONS: usize = 16 * 1024;
/// Bases of one search.
const MAX_BASES: usize = 100;
/// Passages of one answer. More has no place in a model's context.
const MAX_TOP_K: u32 = 100;
/// Bytes of a filter.
const MAX_FILTER: usize = 4_096;

/// The options of a search. What is left out is the base's choice.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SearchOptions {
    /// The bases, by name or id.
    pub(super) knowledge_bases: Option<Vec<String>>,
    pub(super) top_k: Option<u32>,
    pub(super) method: Option<Method>,
    pub(super) filter_metadata: Option<Map<String, Value>>,
    pub(super) threshold: Option<f32>,
}

/// How passages are found, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    VectorSearch,
    FullText,
    Hybrid,
    TreeSearch,
}

impl From<Method> for KnowledgeMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::VectorSearch => Self::Vector,
            Method::FullText => Self::FullText,
            Method::Hybrid => Self::Hybrid,
            Method::TreeSearch => Self::Tree,
        }
    }
}

impl SearchOptions {
    /// Reads a JSON object. What it does not know, what is twice there and what is out of bounds is refused, not ignored: an option
    /// that is not heard could be one that narrows.
    pub(super) fn read(json: &str) -> Result<Self, KnowledgeError> {
        if json.len() > MAX_OPTIONS {
            return Err(invalid(format!("the options have more than {MAX_OPTIONS} bytes")));
        }
        // A list would do as well otherwise: serde reads the members of a struct out of one.
        if !json.trim_start().starts_with('{') {
            return Err(invalid("the options are a JSON object"));
        }
        let options: Self =
            serde_json::from_str(json).map_err(|error| invalid(format!("the options are wrong: {error}")))?;
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<(), KnowledgeError> {
        if self.top_k.is_some_and(|top_k| !(1..=MAX_TOP_K).contains(&top_k)) {
            return Err(invalid(format!("top_k is a number from 1 to {MAX_TOP_K}")));
        }
        if self.threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            return Err(invalid("threshold is a number from 0 to 1"));
        }
        if let Some(names) = &self.knowledge_bases {
            if !(1..=MAX_BASES).contains(&names.len()) {
                return Err(invalid(format!("knowledge_bases are 1 to {MAX_BASES} names or ids")));
            }
            if names.iter().any(|name| !(1..=MAX_NAME).contains(&name.len()) || name.contains('\0')) {
                return Err(invalid(format!("the name of a knowledge base has 1 to {MAX_NAME} bytes")));
            }
        }
        let filter = self.filter_metadata.as_ref().and_then(|filter| serde_json::to_string(filter).ok());
        if filter.is_some_and(|filter| filter.len() > MAX_FILTER || filter.contains("\\u0000")) {
            return Err(invalid(format!("filter_metadata has at most {MAX_FILTER} bytes, and no zero character")));
        }
        Ok(())
    }
}

pub(super) fn invalid(message: impl Into<String>) -> KnowledgeError {
    KnowledgeError::new("invalid", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_option_is_read() {
        let options = json!({
            "knowledge_bases": ["a"], "top_k": 3, "method": "full_text", "filter_metadata": {"page": 1}, "threshold": 0.5,
        });
        let read = SearchOptions::read(&options.to_string()).expect("good options");
        let filter = json!({"page": 1}).as_object().cloned();
        let expected = SearchOptions {
            knowledge_bases: Some(vec!["a".to_owned()]),
            top_k: Some(3),
            method: Some(Method::FullText),
            filter_metadata: filter,
            threshold: Some(0.5),
        };
        assert_eq!(read, expected);
        assert_eq!(SearchOptions::read("{}"), Ok(SearchOptions::default()));
    }

    #[test]
    fn what_is_unknown_doubled_or_out_of_bounds_is_refused() {
        let long = format!(r#"{{"knowledge_bases": ["{}"]}}"#, "x".repeat(MAX_NAME + 1));
        let many = json!({"knowledge_bases": vec!["a"; MAX_BASES + 1]}).to_string();
        let filter = json!({"filter_metadata": {"a": "x".repeat(MAX_FILTER)}}).to_string();
        let huge = format!(r#"{{"filter_metadata": {{"a": "{}"}}}}"#, "x".repeat(MAX_OPTIONS));
        for bad in [
            "",
            "null",
            "[]",
            "{} {}",
            r#"{"owner": "somebody"}"#,
            r#"{"source_ids": []}"#,
            r#"{"own_sources_only": false}"#,
            r#"{"top_k": 1, "top_k": 2}"#,
            r#"{"knowledge_bases": ["a"], "knowledge_bases": ["b"]}"#,
            r#"{"top_k": 0}"#,
            r#"{"top_k": 101}"#,
            r#"{"top_k": 4294967296}"#,
            r#"{"top_k": -1}"#,
            r#"{"top_k": 1e9}"#,
            r#"{"top_k": "5; drop table ai.chunks"}"#,
            r#"{"method": "vector"}"#,
            r#"{"method": "hybrid' or true"}"#,
            r#"{"threshold": 1.5}"#,
            r#"{"threshold": -0.1}"#,
            r#"{"threshold": 1e999}"#,
            r#"{"filter_metadata": []}"#,
            r#"{"filter_metadata": {"a": "\u0000"}}"#,
            r#"{"knowledge_bases": "a"}"#,
            r#"{"knowledge_bases": []}"#,
            r#"{"knowledge_bases": [""]}"#,
            r#"{"knowledge_bases": ["a\u0000"]}"#,
            &long,
            &many,
            &filter,
            &huge,
        ] {
            assert_eq!(SearchOptions::read(bad).map_err(|error| error.code), Err("invalid"), "{bad}");
        }
    }
}
