//! Searches knowledge bases, and says exactly what came of it.

use behalf_guests::{Outcome, Tool, Value, json, knowledge, text};

const TOOLS: &[Tool] = &[
    ("search", "{text, options?, raw?}: the passages, or the error; `raw` is the text of the options", search),
    ("search_without_end", "{text}: searches until the host no longer lets it", search_without_end),
];

behalf_guests::export_guest!(TOOLS);

fn search(arguments: &Value) -> Outcome {
    let options = arguments.get("options").map_or_else(|| String::from("{}"), Value::to_string);
    let options = arguments["raw"].as_str().unwrap_or(&options);
    Ok(match knowledge::search(text(arguments, "text"), options) {
        Ok(passages) => Value::Array(passages.iter().map(passage).collect()),
        Err(error) => {
            json!({"error": {"code": error.code, "message": error.message, "retryable": error.retryable}})
        }
    })
}

fn search_without_end(arguments: &Value) -> Outcome {
    let mut count = 0;
    loop {
        match knowledge::search(text(arguments, "text"), "{}") {
            Ok(_) => count += 1,
            Err(error) => return Ok(json!({"count": count, "code": error.code})),
        }
    }
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
