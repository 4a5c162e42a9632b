//! Passages that a request gives a run to read beside the conversation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use behalf_identity::Principal;
use behalf_problem::LogText as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::StartError;
use crate::knowledge::Passage;
use crate::store::{ChunkRow, PassageReader, ReadFor};

/// Passages of one request.
const MAX_ASKED: usize = 200;

/// A passage as the request names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(crate) enum RequestedPassage {
    /// Its text, and the client's description of it.
    Value { text: String, source_id: Value, meta: Value },
    /// The id of a chunk, to be read as the caller.
    Reference { id: Uuid },
    /// A chunk that a search found, to be read as the caller. It keeps its number where others are no longer to be read.
    Found { id: Uuid, source_name: Option<String>, knowledge_base_id: Option<Uuid>, score: f32 },
}

/// Reads `context_override` and `context_items` of a request; the error says what is wrong with them. An item with neither text
/// nor id is skipped, as on the platform, and so is an id that is no uuid, because nothing has it.
pub(crate) fn read_requested(
    context_override: Option<&Value>,
    context_items: Option<&Value>,
) -> Result<Vec<RequestedPassage>, &'static str> {
    match (context_override, context_items) {
        (None, None) => Ok(Vec::new()),
        (Some(Value::String(text)), _) => {
            Ok(vec![RequestedPassage::Value { text: text.clone(), source_id: Value::Null, meta: json!({}) }])
        }
        (Some(_), _) => Err("context_override must be a text"),
        (None, Some(Value::Array(items))) if items.len() <= MAX_ASKED => {
            Ok(items.iter().filter_map(read_item).collect())
        }
        (None, Some(_)) => Err("context_items must be a list of at most 200 objects with a text or an item_id each"),
    }
}

fn read_item(item: &Value) -> Option<RequestedPassage> {
    match (item.get("text"), item.get("item_id")) {
        (Some(Value::String(text)), _) => {
            let field = |name: &str| item.get(name).cloned().unwrap_or_default();
            let meta = Some(field("meta")).filter(Value::is_object).unwrap_or_else(|| json!({}));
            Some(RequestedPassage::Value { text: text.clone(), source_id: field("source_id"), meta })
        }
        (_, Some(Value::String(id))) => Uuid::try_parse(id).ok().map(|id| RequestedPassage::Reference { id }),
        _ => {
            tracing::debug!("a context item has neither a text nor an item_id");
            None
        }
    }
}

/// The passages that an earlier search kept.
pub(crate) fn of_search(retrieved: &Value) -> Vec<RequestedPassage> {
    let one = |item: &Value| {
        let id = |name: &str| item.get(name).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        #[expect(clippy::cast_possible_truncation, reason = "it had this precision before it was stored")]
        let score = item.get("score").and_then(Value::as_f64).unwrap_or_default() as f32;
        let source_name = item.get("source_name").and_then(Value::as_str).map(str::to_owned);
        Some(RequestedPassage::Found { id: id("id")?, source_name, knowledge_base_id: id("knowledge_base_id"), score })
    };
    retrieved.as_array().map(|items| items.iter().filter_map(one).collect()).unwrap_or_default()
}

/// What is kept of passages that a search found just now, for a host that resumes the run.
pub(crate) fn to_resume(found: &[Passage]) -> Vec<RequestedPassage> {
    let one = |passage: &Passage| {
        let (source_name, knowledge_base_id) = (passage.source_name.clone(), passage.knowledge_base_id);
        let score = passage.score.unwrap_or_default();
        Some(RequestedPassage::Found { id: passage.id?, source_name, knowledge_base_id, score })
    };
    found.iter().filter_map(one).collect()
}

/// Looks up the passages that are named by id, in the order of the request. One that the caller cannot read is left out, as
/// if it did not exist.
pub(crate) async fn look_up(
    reader: &PassageReader,
    principal: &Arc<Principal>,
    asked: &[RequestedPassage],
    purpose: ReadFor,
) -> Result<Vec<Passage>, StartError> {
    let mut seen = HashSet::new();
    let ids: Vec<_> = asked
        .iter()
        .filter_map(|asked| match asked {
            RequestedPassage::Reference { id } | RequestedPassage::Found { id, .. } if seen.insert(*id) => Some(*id),
            _ => None,
        })
        .collect();
    let found = reader.read(principal, &ids, purpose).await.map_err(|error| {
        tracing::warn!(error.code = error.code, error = error.log_text(), "a caller's context items cannot be read");
        StartError::Context(error)
    })?;
    Ok(number(asked, found.into_iter().map(|chunk| (chunk.id, chunk)).collect()))
}

/// The passages with their numbers.
fn number(asked: &[RequestedPassage], mut found: HashMap<Uuid, ChunkRow>) -> Vec<Passage> {
    let mut passages: Vec<Passage> = Vec::with_capacity(asked.len());
    for (place, asked) in (1..).zip(asked) {
        let next = u32::try_from(passages.len()).unwrap_or(u32::MAX).saturating_add(1);
        // Taken out, so that an id which is there twice stands there once.
        let read = match asked {
            RequestedPassage::Value { text, source_id, meta } => Some(Passage {
                number: next,
                source_id: source_id.clone(),
                text: text.clone(),
                meta: meta.clone(),
                ..Passage::default()
            }),
            RequestedPassage::Reference { id } => {
                found.remove(id).map(|chunk| Passage { number: next, ..Passage::from(chunk) })
            }
            RequestedPassage::Found { id, source_name, knowledge_base_id, score } => {
                found.remove(id).map(|chunk| Passage {
                    number: place,
                    source_name: source_name.clone(),
                    knowledge_base_id: *knowledge_base_id,
                    score: Some(*score),
                    ..Passage::from(chunk)
                })
            }
        };
        passages.extend(read);
    }
    passages
}

impl From<ChunkRow> for Passage {
    fn from(chunk: ChunkRow) -> Self {
        let (text, meta) = (chunk.text, chunk.meta);
        Self { id: Some(chunk.id), source_id: json!(chunk.source_id), text, meta, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_search_found_keeps_its_number() {
        let chunk =
            |id: u128| ChunkRow { id: Uuid::from_u128(id), source_id: None, text: id.to_string(), meta: json!({}) };
        let found: Vec<_> =
            [1, 2, 3].map(|id| json!({ "id": Uuid::from_u128(id), "score": 0.5, "source_name": "a" })).to_vec();
        let asked = of_search(&json!(found));
        let readable = [3, 1].map(|id| (Uuid::from_u128(id), chunk(id)));
        let passages = number(&asked, readable.clone().into());
        assert_eq!(passages.iter().map(|passage| passage.number).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(to_resume(&passages), [asked[0].clone(), asked[2].clone()]);
        let by_id: Vec<_> = [1, 2, 3, 3].map(|id| RequestedPassage::Reference { id: Uuid::from_u128(id) }).to_vec();
        let passages = number(&by_id, readable.into());
        assert_eq!(passages.iter().map(|passage| passage.number).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_is_no_item_is_skipped_and_what_is_no_list_is_refused() {
        let asked = |items: Value| read_requested(None, Some(&items));
        let id = "a11ce000-0000-4000-8000-000000000001";
        let read = asked(json!([
            { "text": "a", "source_id": "s", "meta": { "page": 1 } }, { "meta": {} }, { "item_id": id }, { "item_id": "x' or 1=1" },
            { "item_id": 7 }, "text", null
        ]));
        let value = RequestedPassage::Value { text: "a".to_owned(), source_id: json!("s"), meta: json!({ "page": 1 }) };
        assert_eq!(read, Ok(vec![value, RequestedPassage::Reference { id: id.parse().expect("a uuid") }]));
        assert!(asked(json!("a")).is_err() && asked(json!(vec![json!({ "item_id": id }); 10_000])).is_err());
    }
}
