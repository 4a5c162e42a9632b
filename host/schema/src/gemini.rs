//! What Gemini reads otherwise: the part of `OpenAPI` 3.0 that it documents (<https://ai.google.dev/api/caching#Schema>).

use serde_json::{Map, Value, json};

/// The formats that Gemini takes.
const FORMATS: [&str; 6] = ["enum", "date-time", "float", "double", "int32", "int64"];

/// Writes a schema, whose parts are written so already, as Gemini takes it.
pub(crate) fn to_gemini(written: &mut Map<String, Value>) {
    one_type(written);
    let is_known = |format: &Value| format.as_str().is_some_and(|format| FORMATS.contains(&format));
    if written.get("format").is_some_and(|format| !is_known(format)) {
        written.remove("format");
    }
    texts_of_enum(written);
    one_alternative(written);
    if !written.contains_key("type") && !written.contains_key("anyOf") {
        // Every schema needs a type there. A text can say anything.
        written.insert("type".to_owned(), json!("string"));
    }
}

/// One type, or alternatives of one type each.
fn one_type(written: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = written.get("type").cloned() else { return };
    let others: Vec<_> = types.iter().filter(|one| *one != "null").cloned().collect();
    if others.len() < types.len() {
        written.insert("nullable".to_owned(), Value::Bool(true));
    }
    written.remove("type");
    match others.as_slice() {
        [] => {}
        [one] => drop(written.insert("type".to_owned(), one.clone())),
        several => {
            let items = written.remove("items");
            let one = |name: &Value| match &items {
                Some(items) if name == "array" => json!({ "type": name, "items": items }),
                _ => json!({ "type": name }),
            };
            let list = several.iter().map(one).collect();
            written.entry("anyOf").or_insert(Value::Array(list));
        }
    }
}

/// Only texts can be enumerated.
fn texts_of_enum(written: &mut Map<String, Value>) {
    if let Some(kind) = written.get("enum").and_then(|values| type_of(values.get(0)?)) {
        written.entry("type").or_insert(json!(kind));
    }
    if let Some(Value::Array(values)) = written.get_mut("enum") {
        values.retain(|value| value.as_str().is_some_and(|text| !text.is_empty()));
        if values.is_empty() {
            written.remove("enum");
        }
    }
}

/// A null beside other alternatives is a value that may be absent, and one alternative is none.
fn one_alternative(written: &mut Map<String, Value>) {
    let Some(Value::Array(list)) = written.get_mut("anyOf") else { return };
    let before = list.len();
    list.retain(|one| one.get("type").is_none_or(|name| name != "null"));
    let is_nullable = list.len() < before;
    if list.len() == 1 {
        let only = list.remove(0);
        written.remove("anyOf");
        for (name, value) in only.as_object().cloned().unwrap_or_default() {
            written.entry(name).or_insert(value);
        }
    }
    if is_nullable {
        written.insert("nullable".to_owned(), Value::Bool(true));
    }
}

/// The type of a value.
fn type_of(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(number) if number.is_f64() => Some("number"),
        Value::Number(_) => Some("integer"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}
