//! Parses a statement with Postgres's own parser.

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
