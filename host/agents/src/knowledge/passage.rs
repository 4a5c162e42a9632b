//! A passage that a model reads, and what is kept of it.

use behalf_contracts::RetrievedChunk;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::text::{cut_chars, storable};

/// Characters of a passage that are kept with the run.
const EXCERPT_CHARS: usize = 500;

/// A passage as it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Passage {
    /// Its number in the run, from 1.
    pub(crate) number: u32,
    /// The chunk, where it is one.
    pub(crate) id: Option<Uuid>,
    /// The document; as the client says where it brought the text.
    pub(crate) source_id: Value,
    /// The document's name, where it is known.
    pub(crate) source_name: Option<String>,
    /// The text.
    pub(crate) text: String,
    /// What else is known of it, an object.
    pub(crate) meta: Value,
    /// How well it fits, where a search found it.
    pub(crate) score: Option<f32>,
    /// The base that it was found in.
    pub(crate) knowledge_base_id: Option<Uuid>,
}

impl Passage {
    /// A chunk that a search found.
    pub(crate) fn found(number: u32, chunk: RetrievedChunk) -> Self {
        Self {
            number,
            id: Some(chunk.chunk_id),
            source_id: json!(chunk.source_id),
            source_name: chunk.source_name,
            text: chunk.text,
            meta: chunk.meta,
            score: Some(chunk.score),
            knowledge_base_id: chunk.knowledge_base_id,
        }
    }

    /// What is kept of it.
    pub(crate) fn quoted(&self) -> Quoted {
        Quoted {
            number: self.number,
            id: self.id,
            source_id: storable(self.source_id.clone()),
            source_name: self.source_name.clone(),
            excerpt: cut_chars(self.text.trim(), EXCERPT_CHARS),
            meta: self.meta.clone(),
            score: self.score,
            knowledge_base_id: self.knowledge_base_id,
        }
    }
}

/// What is kept of a passage that a model read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quoted {
    /// Its number in the run.
    pub(crate) number: u32,
    id: Option<Uuid>,
    source_id: Value,
    source_name: Option<String>,
    excerpt: String,
    meta: Value,
    score: Option<f32>,
    knowledge_base_id: Option<Uuid>,
}

impl Quoted {
    /// The JSON that clients get of a passage that was used. What a search found has a few members more than what a request brought.
    pub(crate) fn shown(&self) -> Value {
        let mut shown = Map::from_iter([
            ("id".to_owned(), json!(self.id)),
            ("source_id".to_owned(), self.source_id.clone()),
            ("text".to_owned(), json!(self.excerpt)),
            ("meta".to_owned(), self.meta.clone()),
        ]);
        if let Some(score) = self.score {
            shown.insert("score".to_owned(), json!(score));
            shown.insert("source_name".to_owned(), json!(self.source_name));
            shown.insert("knowledge_base_id".to_owned(), json!(self.knowledge_base_id));
            shown.insert("number".to_owned(), json!(self.number));
        }
        storable(Value::Object(shown))
    }

    /// The JSON of a citation, or of a passage that may be cited.
    pub(crate) fn citation(&self) -> Value {
        // A client may bring a text with a source of any form; the column takes ids alone.
        let source_id = self.source_id.as_str().and_then(|id| Uuid::try_parse(id).ok());
        storable(json!({
            "citation_key": self.number.to_string(), "item_id": self.id, "source_id": source_id,
            "source_name": self.source_name, "text_excerpt": self.excerpt, "meta": self.meta,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citation_names_a_source_only_by_an_id() {
        let passage = Passage { number: 2, source_id: json!("mine"), text: " a ".to_owned(), ..Passage::default() };
        let quoted = passage.quoted();
        assert_eq!(quoted.shown(), json!({ "id": null, "source_id": "mine", "text": "a", "meta": null }));
        assert_eq!((&quoted.citation()["source_id"], &quoted.citation()["citation_key"]), (&Value::Null, &json!("2")));
    }
}
