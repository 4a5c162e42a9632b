//! Steps on the plugin's own store, for the guests that have one.

use super::{Value, json, kv, number, text};

/// What the arguments of a step may say.
pub const STEPS: &str = "{do: get|set|replace|remove|keys|flood, key?, value?, old?, prefix?, after?, limit?}";

/// Makes a step, and says what came of it: its result, or the host's error.
pub fn step(arguments: &Value) -> Value {
    let (key, value, old) = (text(arguments, "key"), text(arguments, "value"), arguments["old"].as_str());
    let limit = u32::try_from(number(arguments, "limit", 10)).unwrap_or(u32::MAX);
    let done = match text(arguments, "do") {
        "get" => kv::get(key).map(Value::from),
        "set" => kv::set(key, value).map(|()| Value::from("set")),
        "replace" => kv::replace(key, old, value).map(Value::from),
        "remove" => kv::remove(key).map(Value::from),
        "keys" => kv::keys(text(arguments, "prefix"), arguments["after"].as_str(), limit).map(Value::from),
        _ => Ok(flood()),
    };
    done.unwrap_or_else(|error| json!({"code": error.code, "message": error.message, "retryable": error.retryable}))
}

/// Reads until the host no longer lets it, and says how often it did.
fn flood() -> Value {
    let mut count = 0;
    loop {
        match kv::get("a") {
            Ok(_) => count += 1,
            Err(error) => return json!({"count": count, "code": error.code}),
        }
    }
}
