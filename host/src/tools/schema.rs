use jsonschema::{Draft, PatternOptions, Validator};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

/// Faults that are reported of one object; more help nobody.
const MAX_FAULTS: usize = 20;
/// Nesting of a schema. A schema is a stranger's text, and checking follows it.
const MAX_DEPTH: usize = 32;
/// Values in a schema.
const MAX_NODES: usize = 5_000;
/// Characters of a fault's message, which may quote the arguments.
const MAX_MESSAGE_CHARS: usize = 300;

/// Where arguments do not fit a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the arguments; empty for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

/// Why a schema cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SchemaError {
    /// It is no schema.
    #[error("not a JSON Schema (2020-12): {0}")]
    Invalid(String),
    /// It is deeper or larger than is checked.
    #[error("a schema may nest {MAX_DEPTH} levels and hold {MAX_NODES} values")]
    TooLarge,
    /// It refers to something.
    #[error("references ($ref, $dynamicRef) may point to #/$defs/… only, and not in a circle")]
    Reference,
}

/// A schema that was checked and is ready to check values.
#[derive(Debug)]
pub(super) struct Schema(Validator);

impl Schema {
    /// Prepares a schema. Nothing is fetched, patterns take linear time, and circles are refused, so that checking a value
    /// always ends.
    pub(super) fn new(schema: &Value) -> Result<Self, SchemaError> {
        measure(schema, 0, &mut 0)?;
        check_references(schema, schema, &mut Vec::new())?;
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(1 << 20).dfa_size_limit(1 << 20))
            .should_validate_formats(true)
            .build(schema)
            .map(Self)
            .map_err(|error| SchemaError::Invalid(short(&error.to_string())))
    }

    /// Everything that does not fit.
    pub(super) fn faults(&self, value: &Value) -> Vec<Fault> {
        let fault = |error: jsonschema::ValidationError<'_>| Fault {
            pointer: error.instance_path().to_string(),
            message: short(&error.to_string()),
        };
        self.0.iter_errors(value).take(MAX_FAULTS).map(fault).collect()
    }
}

fn measure(value: &Value, depth: usize, nodes: &mut usize) -> Result<(), SchemaError> {
    *nodes += 1;
    if depth > MAX_DEPTH || *nodes > MAX_NODES {
        return Err(SchemaError::TooLarge);
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| measure(item, depth + 1, nodes)),
        Value::Object(fields) => fields.values().try_for_each(|field| measure(field, depth + 1, nodes)),
        _ => Ok(()),
    }
}

/// Follows every reference; one that comes back to where it was would let a value be checked for ever.
fn check_references<'a>(root: &'a Value, value: &'a Value, open: &mut Vec<&'a str>) -> Result<(), SchemaError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check_references(root, item, open)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match name.as_str() {
                    "$dynamicRef" | "$recursiveRef" | "$id" | "$anchor" | "$dynamicAnchor" => return Err(SchemaError::Reference),
                    "$ref" => follow(root, field.as_str().ok_or(SchemaError::Reference)?, open)?,
                    _ => check_references(root, field, open)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn follow<'a>(root: &'a Value, reference: &'a str, open: &mut Vec<&'a str>) -> Result<(), SchemaError> {
    let pointer = reference.strip_prefix('#').filter(|pointer| pointer.starts_with("/$defs/")).ok_or(SchemaError::Reference)?;
    // Chains are followed once per use; the bound on the chain also bounds how often a definition is visited.
    if open.contains(&reference) || open.len() > 8 {
        return Err(SchemaError::Reference);
    }
    let target = root.pointer(pointer).ok_or(SchemaError::Reference)?;
    open.push(reference);
    check_references(root, target, open)?;
    open.pop();
    Ok(())
}

fn short(text: &str) -> String {
    text.chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_fault_has_its_pointer() {
        let schema = Schema::new(&json!({
            "type": "object", "required": ["query"], "additionalProperties": false,
            "properties": {"query": {"type": "string"}, "params": {"type": "array", "items": {"$ref": "#/$defs/p"}}},
            "$defs": {"p": {"type": ["string", "number"]}},
        }))
        .expect("a schema");
        assert!(schema.faults(&json!({"query": "x", "params": [1, "a"]})).is_empty());
        let faults = schema.faults(&json!({"params": [1, true], "x": 1}));
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert!(pointers.contains(&"/params/1") && pointers.contains(&""), "{faults:?}");
    }

    #[test]
    fn circles_remote_references_and_giants_are_refused() {
        let deep = (0..100).fold(json!({}), |inner, _| json!({"not": inner}));
        for bad in [
            json!({"$ref": "#"}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}}),
            json!({"$ref": "https://example.com/schema"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"$dynamicRef": "#x"}),
            json!({"type": "nothing"}),
            json!({"pattern": "("}),
            deep,
        ] {
            assert!(Schema::new(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_linear_time() {
        let schema = Schema::new(&json!({"properties": {"a": {"pattern": "^(a+)+$"}}})).expect("a schema");
        assert_eq!(schema.faults(&json!({"a": format!("{}b", "a".repeat(50_000))})).len(), 1);
    }
}
