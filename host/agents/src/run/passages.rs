//! Passages that a request gives a run to read beside the conversation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use behalf_identity::Principal;
use behalf_problem::LogText as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::StartError;
use crate::store::{ChunkRow, PassageReader, ReadFor};
use crate::text::{cut_chars, storable};

/// The line after which passages stand in the instructions; the built-in model looks for it.
const MARK: &str = "Context:";
/// Passages of one request.
const MAX_ASKED: usize = 200;
/// Characters of a passage that are kept with the run.
const EXCERPT_CHARS: usize = 500;

/// A passage as the request names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(crate) enum RequestedPassage {
    /// Its text, and the client's description of it.
    Value { text: String, source_id: Value, meta: Value },
    /// The id of a chunk, to be read as the caller.
    Reference { id: Uuid },
}

/// A passage as it is read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Passage {
    id: Option<Uuid>,
    source_id: Value,
    text: String,
    meta: Value,
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
            RequestedPassage::Reference { id } if seen.insert(*id) => Some(*id),
            _ => None,
        })
        .collect();
    let found = reader.read(principal, &ids, purpose).await.map_err(|error| {
        tracing::warn!(error.code = error.code, error = error.log_text(), "a caller's context items cannot be read");
        StartError::Context(error)
    })?;
    let mut found: HashMap<_, _> = found.into_iter().map(|chunk| (chunk.id, chunk)).collect();
    // Taken out, so that an id which is there twice stands there once.
    Ok(asked
        .iter()
        .filter_map(|asked| match asked {
            RequestedPassage::Value { text, source_id, meta } => {
                Some(Passage { id: None, source_id: source_id.clone(), text: text.clone(), meta: meta.clone() })
            }
            RequestedPassage::Reference { id } => found.remove(id).map(Passage::from),
        })
        .collect())
}

impl From<ChunkRow> for Passage {
    fn from(chunk: ChunkRow) -> Self {
        Self { id: Some(chunk.id), source_id: json!(chunk.source_id), text: chunk.text, meta: chunk.meta }
    }
}

/// The instructions with numbered passages, as many as fit into so many characters, and the JSON that is kept of those that did.
pub(crate) fn with_passages(system: Option<String>, passages: &[Passage], room: usize) -> (Option<String>, Vec<Value>) {
    if passages.is_empty() {
        return (system, Vec::new());
    }
    let mut text = system.filter(|text| !text.is_empty()).map(|text| text + "\n\n").unwrap_or_default();
    text.push_str(MARK);
    let mut left = room.saturating_sub(text.chars().count());
    let mut used = Vec::new();
    for (place, passage) in passages.iter().enumerate() {
        let number = format!("\n[{}] ", place + 1);
        // A number without a word of its passage tells a model nothing.
        if left <= number.len() {
            break;
        }
        let cut = cut_chars(&format!("{number}{}\n", passage.text.trim()), left);
        left -= cut.chars().count();
        text.push_str(&cut);
        used.push(passage.shown());
    }
    (Some(text), used)
}

impl Passage {
    /// The JSON that clients get of a passage that was used.
    fn shown(&self) -> Value {
        let excerpt = cut_chars(self.text.trim(), EXCERPT_CHARS);
        storable(json!({ "id": self.id, "source_id": self.source_id, "text": excerpt, "meta": self.meta }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(text: &str) -> Passage {
        Passage { id: None, source_id: Value::Null, text: text.to_owned(), meta: json!({}) }
    }

    #[test]
    fn passages_are_numbered_and_cut_to_the_room_there_is() {
        let passages = ["The moon is far.", "Leave lasts four weeks."].map(passage);
        let (all, used) = with_passages(Some("Be brief.".to_owned()), &passages, 1_000);
        assert_eq!(
            all.as_deref(),
            Some("Be brief.\n\nContext:\n[1] The moon is far.\n\n[2] Leave lasts four weeks.\n")
        );
        assert_eq!(used.len(), 2);
        let (some, used) = with_passages(None, &passages, 20);
        assert_eq!((some.as_deref(), used.len()), (Some("Context:\n[1] The moo"), 1));
        assert_eq!(with_passages(None, &passages, 3).1.len(), 0);
        assert_eq!(with_passages(None, &[], 20), (None, Vec::new()));
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
