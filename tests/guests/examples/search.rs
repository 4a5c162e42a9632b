//! Searches knowledge bases, and says exactly what came of it.

use behalf_guests::{Outcome, Tool, Value, json, knowledge, text};

const TOOLS: &[Tool] = &[("search", "{text, options?}: the passages, or the error", search)];

behalf_guests::export_guest!(TOOLS);

fn search(arguments: &Value) -> Outcome {
    let options = arguments.get("options").map_or_else(|| String::from("{}"), Value::to_string);
    Ok(match knowledge::search(text(arguments, "text"), &options) {
        Ok(passages) => Value::Array(passages.iter().map(passage).collect()),
        Err(error) => {
            json!({"error": {"code": error.code, "message": error.message, "retryable": error.retryable}})
        }
    })
}

fn passage(passage: &knowledge::Passage) -> Value {
    json!({
        "chunk": passage.chunk,
        "source": passage.source,
        "text": passage.text,
        "score": passage.score,
        "meta": serde_json::from_str::<Value>(&passage.meta).unwrap_or_default(),
    })
}
