//! Search in knowledge bases, as the caller: chunks of sources the caller may not read do not exist.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde_json::{Map, Value};

pub use crate::bindings::behalf::tool::knowledge::{Error, Passage};

/// What to search in, and how. What is left out is the host's choice.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Options {
    /// Names or ids of the knowledge bases; all that were granted where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub knowledge_bases: Vec<String>,
    /// How many passages at most, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// `vector_search`, `full_text`, `hybrid` or `tree_search`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What the metadata of a passage must hold.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub filter_metadata: Map<String, Value>,
    /// The lowest score of a passage, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}

/// The passages that fit `text`, best first.
pub fn search(text: &str, options: &Options) -> Result<Vec<Passage>, crate::Error> {
    let options = serde_json::to_string(options)?;
    Ok(crate::door::knowledge::search(text, &options)?)
}
