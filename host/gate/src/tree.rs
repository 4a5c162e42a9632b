//! Parses a statement with Postgres's own parser, and writes a changed one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pg_query::protobuf::{Node, node::Node as NodeEnum};

use super::refusal::Refusal;
use super::text;

/// Parses a text of one statement.
pub(super) fn parse(statement: &str) -> Result<NodeEnum, Refusal> {
    let parsed = guarded(|| pg_query::parse(statement, 0))?.map_err(|error| text::syntax(&error))?;
    let mut statements = parsed.protobuf.stmts.into_iter();
    let only = statements.next().ok_or(Refusal::Empty)?;
    if statements.next().is_some() {
        return Err(Refusal::Several);
    }
    only.stmt.and_then(|node: Box<Node>| node.node).ok_or(Refusal::Empty)
}

/// The fingerprint of a statement that parsed.
pub(super) fn fingerprint(statement: &str) -> Result<String, Refusal> {
    let fingerprint = guarded(|| pg_query::fingerprint(statement, 0, 0))?.map_err(|error| text::syntax(&error))?;
    Ok(fingerprint.hex)
}

/// Turns a panic in the parser's Rust code into a refusal, so that the thread survives.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Refusal::Unexamined)
}

/// The text of a tree that was changed after parsing. The text is parsed again, and must give the same tree: so it does not
/// depend on whoever wrote the text that the server reads what was checked.
pub(super) fn text(tree: &NodeEnum) -> Result<String, Refusal> {
    let text = guarded(|| tree.deparse(pg_query::DeparseOptions::default()))?.map_err(|error| text::syntax(&error))?;
    if text.len() > MAX_TEXT {
        return Err(Refusal::TooLong { bytes: text.len(), limit: MAX_TEXT });
    }
    if meaning(&parse(&text)?) == meaning(tree) { Ok(text) } else { Err(Refusal::Unexamined) }
}

/// The longest text that a tree may be turned into: checks make it longer than the text it came from.
const MAX_TEXT: usize = 4 * text::MAX_BYTES;

/// A tree as text, without the positions of its parts.
fn meaning(tree: &NodeEnum) -> String {
    let whole = format!("{tree:?}");
    let mut meaning = String::with_capacity(whole.len());
    let mut rest = whole.as_str();
    // What looks like a position inside of a literal is none.
    while let Some((outside, literal)) = rest.split_once('"') {
        meaning.push_str(&without_positions(outside));
        let end = end_of_literal(literal);
        let (inside, after) = literal.split_at(end);
        meaning.push('"');
        meaning.push_str(inside);
        rest = after;
    }
    meaning.push_str(&without_positions(rest));
    meaning
}

/// Where a literal that Rust wrote ends, its quote included.
fn end_of_literal(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return index + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn without_positions(text: &str) -> String {
    let drop_after = |text: &str, field: &str| {
        let mut pieces = text.split(field);
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |text, piece| {
            text + field + piece.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit())
        })
    };
    ["location: ", "list_start: ", "list_end: "].iter().fold(text.to_owned(), |text, field| drop_after(&text, field))
}
