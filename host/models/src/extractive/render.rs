//! Turns results of tools into a text that quotes them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::passages;

/// The result of a tool call.
#[derive(Debug, Clone, Copy)]
pub(super) struct ToolResult<'a> {
    pub(super) tool: &'a str,
    pub(super) content: &'a str,
    pub(super) failed: bool,
}

const MAX_ROWS: usize = 10;
const MAX_COLUMNS: usize = 8;
const MAX_CELL_CHARS: usize = 80;
const MAX_QUOTE_CHARS: usize = 1_200;
const MAX_ERROR_CHARS: usize = 400;

/// The most results in one answer; a run may have called more tools.
const MAX_RESULTS: usize = 5;

/// Keys under which tools wrap a list.
const WRAPPERS: [&str; 9] =
    ["rows", "results", "items", "data", "records", "chunks", "passages", "documents", "result"];

/// The answer that quotes the results.
pub(super) fn results(results: &[ToolResult<'_>]) -> String {
    let more = results.len().saturating_sub(MAX_RESULTS);
    let mut parts: Vec<_> = results.iter().take(MAX_RESULTS).map(one).collect();
    if more > 0 {
        parts.push(format!("{more} more results are not shown."));
    }
    parts.join("\n\n")
}

fn one(result: &ToolResult<'_>) -> String {
    let tool = result.tool;
    let value = serde_json::from_str::<Value>(result.content).ok();
    if let Some(reason) = failure(result, value.as_ref()) {
        return format!("The tool `{tool}` failed: {}", cut(&reason, MAX_ERROR_CHARS));
    }
    match value {
        Some(value) => format!("`{tool}` returned {}", described(&value)),
        None if result.content.trim().is_empty() => format!("`{tool}` returned nothing."),
        None => format!("`{tool}` returned:\n\n{}", quote(result.content)),
    }
}

/// The reason of a failed call, from the run loop or from an error that the tool reports in its result.
fn failure(result: &ToolResult<'_>, value: Option<&Value>) -> Option<String> {
    let told = value.and_then(|value| value.get("error")).filter(|error| !error.is_null());
    let in_words = told.map(|error| match error {
        Value::String(words) => words.clone(),
        other => other.get("message").and_then(Value::as_str).map_or_else(|| other.to_string(), str::to_owned),
    });
    if result.failed || result.content.starts_with("Error") {
        return Some(in_words.unwrap_or_else(|| result.content.trim().to_owned()));
    }
    in_words
}

fn described(value: &Value) -> String {
    match value {
        Value::Array(list) => listed(list),
        Value::Object(object) => {
            let wrapped = WRAPPERS.iter().find_map(|key| object.get(*key)?.as_array());
            wrapped.map_or_else(|| format!("one record:\n\n{}", fields(object)), |list| listed(list))
        }
        Value::Null => "nothing.".to_owned(),
        Value::String(text) => format!("this:\n\n{}", quote(text)),
        other => format!("{other}."),
    }
}

fn listed(list: &[Value]) -> String {
    if list.is_empty() {
        return "no rows.".to_owned();
    }
    if let Some(passages) = passages::read(list) {
        return passages::render(&passages);
    }
    let count = counted(list.len(), "row");
    let rows: Option<Vec<_>> = list.iter().map(Value::as_object).collect();
    let shown = rows.map_or_else(|| bullets(list), |rows| table(&rows));
    let more = list.len().saturating_sub(MAX_ROWS);
    let more = if more > 0 { format!("\n\n… and {} not shown.", counted(more, "more row")) } else { String::new() };
    format!("{count}:\n\n{shown}{more}")
}

fn table(rows: &[&Map<String, Value>]) -> String {
    let shown = rows.get(..MAX_ROWS).unwrap_or(rows);
    let mut seen = HashSet::new();
    let keys = shown.iter().flat_map(|row| row.keys());
    let mut columns: Vec<&str> = keys.map(String::as_str).filter(|key| seen.insert(*key)).collect();
    let hidden = columns.len().saturating_sub(MAX_COLUMNS);
    columns.truncate(MAX_COLUMNS);
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let mut lines = vec![
        line(columns.iter().map(|column| cell_text(column)).collect()),
        line(columns.iter().map(|_| "---".to_owned()).collect()),
    ];
    lines.extend(shown.iter().map(|row| line(columns.iter().map(|column| cell(row.get(*column))).collect())));
    if hidden > 0 {
        lines.push(format!("\n{} not shown.", counted(hidden, "more column")));
    }
    lines.join("\n")
}

fn bullets(list: &[Value]) -> String {
    let lines: Vec<_> = list.iter().take(MAX_ROWS).map(|item| format!("- {}", cell(Some(item)))).collect();
    lines.join("\n")
}

fn fields(object: &Map<String, Value>) -> String {
    let shown = object.iter().take(MAX_ROWS * 2);
    let mut lines: Vec<_> = shown.map(|(key, value)| format!("- {}: {}", cell_text(key), cell(Some(value)))).collect();
    let hidden = object.len().saturating_sub(MAX_ROWS * 2);
    if hidden > 0 {
        lines.push(format!("- … and {}", counted(hidden, "more field")));
    }
    lines.join("\n")
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => cell_text(text),
        Some(other) => cell_text(&other.to_string()),
    }
}

fn cell_text(text: &str) -> String {
    plain(&one_line(text, MAX_CELL_CHARS)).replace('|', "\\|")
}

/// A block quote of `text`, bounded.
pub(super) fn quote(text: &str) -> String {
    let text = cut(text.trim(), MAX_QUOTE_CHARS);
    let lines: Vec<_> = text.lines().map(|line| format!("> {}", plain(line))).collect();
    lines.join("\n")
}

/// A row must not make the reader's client fetch an image, which would tell its server what was read.
pub(super) fn plain(text: &str) -> String {
    text.replace("![", "!\\[").replace("<img", "&lt;img")
}

/// The first `most` characters on one line. White space beyond one character between words does not count.
pub(super) fn one_line(text: &str, most: usize) -> String {
    // Every word has a character, so more words than characters are never needed.
    let words: Vec<_> = text.split_whitespace().take(most + 1).collect();
    cut(&words.join(" "), most)
}

/// The first `most` characters, followed by `…` if there are more.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
    }
}

pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("{count} {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(value: &Value) -> String {
        results(&[ToolResult { tool: "t", content: &value.to_string(), failed: false }])
    }

    fn failed(content: &str, failed: bool) -> String {
        results(&[ToolResult { tool: "t", content, failed }])
    }

    #[test]
    fn rows_become_a_table() {
        let answer = shown(&json!([{"id": 1, "title": "a|b"}, {"id": 2, "done": null, "tags": ["x"]}]));
        let table =
            "| id | title | done | tags |\n| --- | --- | --- | --- |\n| 1 | a\\|b |  |  |\n| 2 |  |  | [\"x\"] |";
        assert_eq!(answer, format!("`t` returned 2 rows:\n\n{table}"));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let rows: Vec<_> = (0..25).map(|n| json!({"n": n})).collect();
        let answer = shown(&json!({"rows": rows}));
        assert!(answer.contains("25 rows:") && answer.ends_with("… and 15 more rows not shown."), "{answer}");
        assert!(answer.contains("| 9 |") && !answer.contains("| 10 |"), "{answer}");
        let wide: Map<_, _> = (0..11).map(|n| (format!("c{n}"), json!(n))).collect();
        assert!(shown(&json!([wide])).ends_with("3 more columns not shown."));
    }

    #[test]
    fn nothing_makes_an_answer_long() {
        let long = "x\n".repeat(5_000);
        let wide: Map<_, _> = (0..50).map(|n| (format!("{n}{long}"), json!(long))).collect();
        for value in [json!([wide, wide]), json!(wide), json!(long), json!([long]), json!({"error": long})] {
            assert!(shown(&value).len() < 12_000);
        }
        assert!(failed(&long, false).len() < 12_000);
    }

    #[test]
    fn other_results_are_quoted_too() {
        assert_eq!(shown(&json!([])), "`t` returned no rows.");
        assert_eq!(shown(&json!({"data": []})), "`t` returned no rows.");
        assert_eq!(shown(&json!(null)), "`t` returned nothing.");
        assert_eq!(shown(&json!(42)), "`t` returned 42.");
        assert_eq!(shown(&json!(["a", 1])), "`t` returned 2 rows:\n\n- a\n- 1");
        assert_eq!(shown(&json!({"ok": true})), "`t` returned one record:\n\n- ok: true");
        assert_eq!(failed("two\nlines", false), "`t` returned:\n\n> two\n> lines");
        assert_eq!(failed(" ", false), "`t` returned nothing.");
    }

    #[test]
    fn errors_are_told_in_plain_words() {
        let expected = "The tool `t` failed: no such table";
        assert_eq!(failed("no such table", true), expected);
        assert_eq!(failed(r#"{"error": "no such table"}"#, false), expected);
        assert_eq!(failed(r#"{"error": {"message": "no such table"}}"#, true), expected);
        assert_eq!(failed("Error: no", false), "The tool `t` failed: Error: no");
        assert_eq!(shown(&json!({"error": null, "rows": []})), "`t` returned no rows.");
    }

    #[test]
    fn a_row_cannot_make_a_client_fetch_an_image() {
        assert!(!shown(&json!([{"a": "![x](http://h/?q=1)"}])).contains("!["));
        assert!(!shown(&json!("<img src=x>")).contains("<img"));
    }
}
