//! The forms of keywords: which values they may have, and what older drafts and `OpenAPI` write instead.

use serde_json::{Value, json};

/// The types of JSON Schema.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// A keyword's value in the form that the validator reads, or why it cannot be checked.
pub(crate) fn well_formed(keyword: &str, value: &Value) -> Result<Value, &'static str> {
    let is_good = match keyword {
        "type" => return types(value),
        "enum" => value.as_array().is_some_and(|items| !items.is_empty()),
        "required" => value.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
        "dependentRequired" => value.as_object().is_some_and(|named| {
            named.values().all(|names| names.as_array().is_some_and(|names| names.iter().all(Value::is_string)))
        }),
        "format" | "pattern" => value.is_string(),
        "uniqueItems" => value.is_boolean(),
        "exclusiveMaximum" | "exclusiveMinimum" | "maximum" | "minimum" => value.is_number(),
        "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
        "maxContains" | "maxItems" | "maxLength" | "maxProperties" | "minContains" | "minItems" | "minLength"
        | "minProperties" => value.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0),
        _ => true,
    };
    if is_good { Ok(value.clone()) } else { Err("the keyword's value has another form than JSON Schema says") }
}

/// The types that JSON Schema has. A list may name others beside them, which no value has.
fn types(value: &Value) -> Result<Value, &'static str> {
    let known = |name: &Value| name.as_str().is_some_and(|name| TYPES.contains(&name));
    match value {
        Value::String(_) if known(value) => Ok(value.clone()),
        Value::Array(names) if !names.is_empty() && names.iter().all(known) => {
            let mut once = Vec::with_capacity(names.len());
            for name in names {
                if !once.contains(name) {
                    once.push(name.clone());
                }
            }
            Ok(Value::Array(once))
        }
        _ => Err("JSON Schema has no such type"),
    }
}

/// A type that `nullable: true` stands beside (`OpenAPI` 3.0).
pub(crate) fn or_null(types: &Value) -> Value {
    match types {
        Value::Array(names) if names.iter().any(|name| name == "null") => types.clone(),
        Value::Array(names) => names.iter().cloned().chain([json!("null")]).collect(),
        Value::String(name) if name != "null" => json!([name, "null"]),
        other => other.clone(),
    }
}

/// Whether a bound is exclusive in the way of draft 4 and `OpenAPI` 3.0: `minimum: 0, exclusiveMinimum: true`.
pub(crate) fn is_exclusive(fields: &serde_json::Map<String, Value>, bound: &str) -> bool {
    let exclusive = if bound == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
    fields.get(exclusive) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_of_another_form_are_told() {
        for (keyword, value) in [
            ("type", json!("any")),
            ("type", json!(["string", "file"])),
            ("type", json!([])),
            ("required", json!(true)),
            ("enum", json!([])),
            ("minLength", json!("3")),
            ("maxItems", json!(-1)),
            ("multipleOf", json!(0)),
        ] {
            assert!(well_formed(keyword, &value).is_err(), "{keyword}: {value}");
        }
        assert_eq!(well_formed("type", &json!(["null", "string", "null"])), Ok(json!(["null", "string"])));
        assert_eq!(well_formed("maxItems", &json!(3.0)), Ok(json!(3.0)));
        assert_eq!(or_null(&json!("string")), json!(["string", "null"]));
        assert_eq!(or_null(&json!(["null", "string"])), json!(["null", "string"]));
    }
}
