//! What a request says of knowledge.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::base::SearchedBase;

/// What a request says of knowledge. It is kept with the run, so a host that resumes the run searches the same bases.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AskedKnowledge {
    /// Bases to search before the model is asked.
    pub(crate) bases: Option<Vec<SearchedBase>>,
    /// Bases that the model may search beside the agent's own.
    pub(crate) runtime: Vec<SearchedBase>,
    /// An earlier search whose passages to read.
    pub(crate) handler: Option<Uuid>,
    /// Whether the answer is to cite its passages.
    pub(crate) citations: bool,
    /// Whether only sources count that the caller owns.
    pub(crate) own_sources_only: bool,
    /// Whether the agent's own bases are searched before the model is asked.
    pub(crate) searches_first: bool,
    /// The bases that the run's model may search: those of the agent and of the request. Known when the run begins.
    pub(crate) searchable: Vec<SearchedBase>,
    /// Tokens of the passages that were found before the model was asked; no such bound where absent.
    pub(crate) passage_tokens: Option<u32>,
}

impl AskedKnowledge {
    /// Whether the request itself names knowledge.
    pub(crate) fn names_any(&self) -> bool {
        self.bases.is_some() || !self.runtime.is_empty() || self.handler.is_some()
    }
}

/// Reads the field `retrieval`: whether only the caller's own sources count. A word that is not known is refused, because it may have
/// been meant to restrict.
pub(crate) fn read_own_sources_only(value: Option<&Value>) -> Result<bool, &'static str> {
    match value {
        None | Some(Value::Null) => Ok(false),
        Some(Value::String(word)) if word == "all" => Ok(false),
        Some(Value::String(word)) if word == "own_sources_only" => Ok(true),
        Some(_) => Err("retrieval must be all or own_sources_only"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        let read = |value: Value| read_own_sources_only(Some(&value));
        assert_eq!(
            (read(json!("own_sources_only")), read(json!("all")), read(json!(null))),
            (Ok(true), Ok(false), Ok(false))
        );
        assert!(read(json!("own")).is_err() && read(json!(true)).is_err());
    }
}
