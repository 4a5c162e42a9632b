//! Quotes passages of documents that search tools return.

use serde_json::{Map, Value};

use super::render::{counted, one_line, plain};

/// A quoted piece of a document.
#[derive(Debug, PartialEq)]
pub(super) struct Passage<'a> {
    text: &'a str,
    source: Option<String>,
}

const TEXT_KEYS: [&str; 5] = ["text", "content", "passage", "chunk", "snippet"];
const SOURCE_KEYS: [&str; 9] =
    ["source_name", "source", "document", "title", "file", "filename", "path", "url", "knowledge_base_name"];
/// A row with a text is a passage only if it also has one of these, as results of a search have.
const SEARCH_KEYS: [&str; 5] = ["score", "similarity", "distance", "rank", "source_name"];

const MAX_PASSAGES: usize = 5;
const MAX_PASSAGE_CHARS: usize = 700;
const MAX_SOURCE_CHARS: usize = 120;

/// Reads a list of passages; `None` if an item is none.
pub(super) fn read(list: &[Value]) -> Option<Vec<Passage<'_>>> {
    list.iter().map(|item| passage(item.as_object()?)).collect()
}

fn passage(item: &Map<String, Value>) -> Option<Passage<'_>> {
    let text = TEXT_KEYS.iter().find_map(|key| item.get(*key)?.as_str())?;
    let source =
        source(item).or_else(|| item.get("meta").or_else(|| item.get("metadata"))?.as_object().and_then(source));
    let found = SEARCH_KEYS.iter().any(|key| item.contains_key(*key)) || item.contains_key("source");
    found.then_some(Passage { text, source })
}

fn source(item: &Map<String, Value>) -> Option<String> {
    let name = SOURCE_KEYS.iter().find_map(|key| match item.get(*key)? {
        Value::String(name) => Some(name.as_str()),
        Value::Object(source) => source.get("name").or_else(|| source.get("title"))?.as_str(),
        _ => None,
    })?;
    Some(plain(&one_line(name, MAX_SOURCE_CHARS)))
}

/// Quotes the first passages, each with its source.
pub(super) fn render(passages: &[Passage<'_>]) -> String {
    let quoted = passages.iter().take(MAX_PASSAGES).map(|passage| {
        let text = plain(&one_line(passage.text, MAX_PASSAGE_CHARS));
        let source = passage.source.as_ref().map(|source| format!("\n> — {source}")).unwrap_or_default();
        format!("> {text}{source}")
    });
    let mut parts = vec![format!("{}:", counted(passages.len(), "passage"))];
    parts.extend(quoted);
    let more = passages.len().saturating_sub(MAX_PASSAGES);
    if more > 0 {
        parts.push(format!("… and {} not shown.", counted(more, "more passage")));
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn passages_are_quoted_with_their_sources() {
        let list = [
            json!({"content": "Leave lasts\na year.", "score": 0.9, "source_name": "handbook.pdf"}),
            json!({"text": "Ask first.", "similarity": 0.5, "metadata": {"title": "FAQ"}}),
            json!({"text": "Alone.", "score": 0.1}),
        ];
        let answer = render(&read(&list).expect("all are passages"));
        let expected = "3 passages:\n\n> Leave lasts a year.\n> — handbook.pdf\n\n> Ask first.\n> — FAQ\n\n> Alone.";
        assert_eq!(answer, expected);
    }

    #[test]
    fn rows_that_no_search_found_are_not_passages() {
        assert_eq!(read(&[json!({"id": 1, "content": "a note"})]), None);
        assert_eq!(read(&[json!({"score": 3, "player": "x"})]), None);
        assert_eq!(read(&[json!({"text": "x", "score": 1}), json!(7)]), None);
    }

    #[test]
    fn passages_left_out_are_counted() {
        let list: Vec<_> = (0..8).map(|_| json!({"text": "x ".repeat(5_000), "score": 1})).collect();
        let answer = render(&read(&list).expect("all are passages"));
        assert!(answer.ends_with("… and 3 more passages not shown.") && answer.len() < 6_000, "{}", answer.len());
    }
}
