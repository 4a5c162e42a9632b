//! Remembers, recalls and forgets, and says exactly what came of it: a tool that says nothing of itself, and one that says it only reads.

use behalf_guests::{Outcome, Value, failed, json, memory, number, text};

const ABOUT: &str = "{do: remember|recall|forget|flood, text?, meta?, id?, top_k?, then?: fail}";

struct Component;

impl behalf_guests::Guest for Component {
    fn definitions() -> String {
        let silent = behalf_guests::definition("memories", ABOUT);
        let mut reading = behalf_guests::definition("reading_memories", ABOUT);
        reading["annotations"] = json!({"readOnlyHint": true});
        json!([silent, reading]).to_string()
    }

    fn call(_name: String, arguments: String) -> Result<String, behalf_guests::Error> {
        let arguments: Value = serde_json::from_str(&arguments).map_err(|error| failed(&error.to_string()))?;
        let done = act(&arguments)?;
        // A call that fails after what it did.
        if arguments["then"] == "fail" { Err(failed("as told")) } else { Ok(done.to_string()) }
    }
}

behalf_guests::bindings::export_component!(Component with_types_in behalf_guests::bindings);

fn act(arguments: &Value) -> Outcome {
    let meta = arguments["meta"].as_str().unwrap_or("{}");
    let top_k = u32::try_from(number(arguments, "top_k", 10)).unwrap_or(u32::MAX);
    let done = match text(arguments, "do") {
        "remember" => memory::remember(text(arguments, "text"), meta).map(Value::from),
        "recall" => memory::recall(text(arguments, "text"), top_k)
            .map(|found| found.iter().map(|one| json!({"id": one.id, "text": one.text, "meta": one.meta})).collect()),
        "forget" => memory::forget(text(arguments, "id")).map(Value::from),
        _ => flood(),
    };
    Ok(done.unwrap_or_else(|error| json!({"code": error.code, "message": error.message, "retryable": error.retryable})))
}

/// Recalls until the host no longer lets it, and says how often it did.
fn flood() -> Result<Value, memory::Error> {
    let mut count = 0;
    loop {
        match memory::recall("", 1) {
            Ok(_) => count += 1,
            Err(error) => return Ok(json!({"count": count, "code": error.code})),
        }
    }
}
