//! Reads the arguments of a tool call. Servers garble them in few ways, and where a garbled text has one reading, it is read so.

use behalf_schema::inexact_number;
use serde_json::{Map, Value};

/// How often a text may be encoded in a text.
const MAX_ENCODED: usize = 3;

/// The arguments in a text: an object, or the text as a JSON string where there is none to be read in it.
///
/// What is repaired: nothing, `null` and an empty text are no arguments. An object that was encoded more than once is decoded. Of
/// several objects one after the other, those that are empty or repeat another one are left out, as some servers begin with `{}`
/// and some send the whole once more at the end. A doubled brace at the beginning and a fence of Markdown are left out. A text with a
/// number that would be rounded stays one, so that the model is told.
pub(super) fn read(text: String) -> Value {
    match object(&text, MAX_ENCODED) {
        Some(object) => Value::Object(object),
        None => Value::String(text),
    }
}

/// The arguments in a value that came as JSON.
pub(super) fn of_value(value: Value) -> Value {
    match value {
        Value::String(text) => read(text),
        Value::Null => Value::Object(Map::new()),
        other => other,
    }
}

fn object(text: &str, left: usize) -> Option<Map<String, Value>> {
    let text = unfenced(text.trim());
    if text.is_empty() {
        return Some(Map::new());
    }
    if inexact_number(text).is_some() {
        return None;
    }
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    match values {
        Ok(values) => one(values, left),
        // The brace that begins the object, sent twice.
        Err(_) if text.starts_with("{{") => match serde_json::from_str(text.get(1..)?) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        },
        Err(_) => None,
    }
}

/// The one object that these values mean.
fn one(values: Vec<Value>, left: usize) -> Option<Map<String, Value>> {
    let mut meant: Option<Map<String, Value>> = None;
    for value in values {
        let object = match value {
            Value::Object(object) => object,
            Value::Null => Map::new(),
            Value::String(text) => object(&text, left.checked_sub(1)?)?,
            _ => return None,
        };
        meant = match meant {
            Some(before) if object.is_empty() || before == object => Some(before),
            Some(before) if !before.is_empty() => return None,
            _ => Some(object),
        };
    }
    meant
}

/// The text within a fence of Markdown, or the text.
fn unfenced(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inner.map_or(text, |inner| inner.strip_prefix("json").unwrap_or(inner).trim())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_one_reading_is_read() {
        for text in ["", "  ", "null", "\"\"", "{}", "{}{}", "\"{}\"", "\"null\""] {
            assert_eq!(read(text.to_owned()), json!({}), "{text:?}");
        }
        let once = json!({"a": "{\"b\": 1}"});
        let twice = json!(once.to_string()).to_string();
        let thrice = json!(twice).to_string();
        let whole = once.to_string();
        for text in [
            whole.clone(),
            twice,
            thrice,
            format!("{{}}{whole}"),
            format!("{whole}{whole}"),
            format!("{whole}{{}}"),
            format!("null{whole}"),
            format!("{{{whole}"),
            format!("```json\n{whole}\n```"),
        ] {
            assert_eq!(read(text.clone()), once, "{text:?}");
        }
    }

    #[test]
    fn what_has_none_or_several_stays_a_text() {
        for text in ["{\"a\": ", "{\"a\": 1}{\"a\": 2}", "[1]", "7", "a", "{'a': 1}", "{{", "\"text\"", "true"] {
            assert_eq!(read(text.to_owned()), json!(text), "{text:?}");
        }
        assert_eq!(of_value(json!([{"a": 1}])), json!([{"a": 1}]));
        assert_eq!(of_value(json!("{\"a\": 1}")), json!({"a": 1}));
    }
}
