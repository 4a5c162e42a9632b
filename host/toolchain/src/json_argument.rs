//! JSON that is given on the command line.

use anyhow::Context;
use serde_json::Value;

/// Reads an argument: JSON as it stands, or `@FILE` with JSON in it. `what` names the argument in errors.
pub(crate) fn read_json(what: &str, given: &str) -> anyhow::Result<Value> {
    let text = match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read {path} ({what})"))?,
        None => given.to_owned(),
    };
    serde_json::from_str(&text)
        .with_context(|| format!("{what}: not JSON; quote it for the shell, as in '{{\"name\": \"value\"}}'"))
}
