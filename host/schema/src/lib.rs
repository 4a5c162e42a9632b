//! JSON Schemas of arguments and results: they come from plugins, operators and MCP servers, so each is bounded before it is used.
//!
//! A crate of its own, because the validator is compiled anew in each crate that calls it.

mod pattern;

use jsonschema::{Draft, PatternOptions, Validator};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use pattern::{MAX_PATTERN, begin_check, pattern};

/// Faults that are reported for one object; a longer list would not help its reader.
const MAX_FAULTS: usize = 20;
/// Levels of nesting of a schema. Checking a value recurses as deeply as the schema does.
const MAX_DEPTH: usize = 32;
/// Values in a schema.
const MAX_NODES: usize = 5_000;
/// Values in a schema with every reference replaced by what it refers to. Without this bound, `n` definitions that each use the
/// next one twice would stand for two to the power of `n` values.
const MAX_EXPANDED: usize = 20_000;
/// Values of a schema times values of the arguments. Each takes some tens of nanoseconds, so a check takes a second at most.
const MAX_CHECKS: usize = 20_000_000;
/// Bytes of property names times patterns that they are matched with.
const MAX_NAME_BYTES: usize = 64 * 1024;
/// Characters of a fault's message, which may quote the arguments.
const MAX_MESSAGE_CHARS: usize = 300;

/// One reason why a value does not fit a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the value; empty for the whole value.
    pub pointer: String,
    /// The fault at that place.
    pub message: String,
}

/// Why a schema cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SchemaError {
    /// It is not a schema.
    #[error("not a JSON Schema (2020-12): {0}")]
    Invalid(String),
    /// It nests too deeply or holds too many values.
    #[error("a schema may nest {MAX_DEPTH} levels and hold {MAX_NODES} values")]
    TooLarge,
    /// It holds too many values once its references are replaced.
    #[error("a schema may hold {MAX_EXPANDED} values with every reference put in its place")]
    Expanded,
    /// It has a reference that is not allowed.
    #[error("references ($ref, $dynamicRef) may point to #/$defs/… only, and not in a circle")]
    Reference,
}

/// A schema that is ready to check values.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    /// Values in it, with every reference replaced.
    size: usize,
    /// Number of patterns in its `patternProperties`.
    name_patterns: usize,
}

impl Schema {
    /// Prepares a schema. Nothing is fetched, patterns take linear time, and circular references are refused, so that checking
    /// a value always ends.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        measure(schema, 0, &mut 0)?;
        let mut references = References { root: schema, open: Vec::new(), visited: 0, name_patterns: 0 };
        references.check(schema)?;
        let References { visited: size, name_patterns, .. } = references;
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(1 << 20))
            .with_keyword("pattern", pattern)
            .should_validate_formats(true)
            .build(schema)
            .map(|validator| Self { validator, size, name_patterns })
            .map_err(|error| SchemaError::Invalid(message(&error)))
    }

    /// Everything in a value that does not fit the schema, at most 20 faults.
    pub fn faults(&self, value: &Value) -> Vec<Fault> {
        if let Some(message) = self.too_much(value) {
            return vec![Fault { pointer: String::new(), message }];
        }
        let fault = |error: jsonschema::ValidationError<'_>| Fault {
            pointer: error.instance_path().to_string(),
            message: message(&error),
        };
        begin_check();
        self.validator.iter_errors(value).take(MAX_FAULTS).map(fault).collect()
    }

    /// Whether a value fits the schema.
    pub fn fits(&self, value: &Value) -> bool {
        if self.too_much(value).is_some() {
            return false;
        }
        begin_check();
        self.validator.is_valid(value)
    }

    /// Why checking a value would take too long.
    fn too_much(&self, value: &Value) -> Option<String> {
        let (mut values, mut name_bytes) = (0, 0);
        count(value, &mut values, &mut name_bytes);
        if values.saturating_mul(self.size) > MAX_CHECKS {
            let most = MAX_CHECKS / self.size.max(1);
            return Some(format!("{values} values are too many for this schema; send {most} at most"));
        }
        if name_bytes.saturating_mul(self.name_patterns) > MAX_NAME_BYTES {
            return Some(format!("{name_bytes} bytes of names are too many for this schema's patternProperties"));
        }
        None
    }
}

/// A fault's message.
fn message(error: &jsonschema::ValidationError<'_>) -> String {
    error.to_string().chars().take(MAX_MESSAGE_CHARS).collect()
}

/// Refuses a schema that nests too deeply or holds too many values.
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

/// Counts the values and the bytes of names in a value.
fn count(value: &Value, values: &mut usize, name_bytes: &mut usize) {
    *values += 1;
    match value {
        Value::Array(items) => items.iter().for_each(|item| count(item, values, name_bytes)),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            *name_bytes += name.len();
            count(field, values, name_bytes);
        }),
        _ => {}
    }
}

/// Follows every reference. One that leads back to itself would let the check of a value run for ever.
struct References<'a> {
    root: &'a Value,
    open: Vec<&'a str>,
    visited: usize,
    name_patterns: usize,
}

impl<'a> References<'a> {
    fn check(&mut self, value: &'a Value) -> Result<(), SchemaError> {
        self.visited += 1;
        if self.visited > MAX_EXPANDED {
            return Err(SchemaError::Expanded);
        }
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.check(item)),
            Value::Object(fields) => fields.iter().try_for_each(|(name, field)| match name.as_str() {
                "patternProperties" => {
                    self.name_patterns += field.as_object().map_or(0, serde_json::Map::len);
                    self.check(field)
                }
                "$dynamicRef" | "$recursiveRef" | "$id" | "$anchor" | "$dynamicAnchor" => Err(SchemaError::Reference),
                "$ref" => self.follow(field.as_str().ok_or(SchemaError::Reference)?),
                _ => self.check(field),
            }),
            _ => Ok(()),
        }
    }

    fn follow(&mut self, reference: &'a str) -> Result<(), SchemaError> {
        let pointer = reference
            .strip_prefix('#')
            .filter(|pointer| pointer.starts_with("/$defs/"))
            .ok_or(SchemaError::Reference)?;
        if self.open.contains(&reference) || self.open.len() > MAX_DEPTH {
            return Err(SchemaError::Reference);
        }
        let target = self.root.pointer(pointer).ok_or(SchemaError::Reference)?;
        self.open.push(reference);
        self.check(target)?;
        self.open.pop();
        Ok(())
    }
}

/// The schema of a tool's arguments. They are always an object, and models need the schema to say so, so a missing `type` is
/// added.
pub fn as_object_schema(schema: &Value) -> Result<Value, SchemaError> {
    let Value::Object(fields) = schema else {
        return Err(SchemaError::Invalid("it must be a JSON object".to_owned()));
    };
    let mut fields = fields.clone();
    if fields.entry("type").or_insert_with(|| json!("object")) != "object" {
        return Err(SchemaError::Invalid("its type must be \"object\"".to_owned()));
    }
    Ok(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn references_that_multiply_are_refused_at_once() {
        let doubled = |levels: usize| {
            let definition = |level: usize| {
                let below = json!({"$ref": format!("#/$defs/l{}", level + 1)});
                (format!("l{level}"), json!({"anyOf": vec![below; 600]}))
            };
            let mut definitions: serde_json::Map<_, _> = (0..levels).map(definition).collect();
            definitions.insert(format!("l{levels}"), json!({"type": "number"}));
            json!({"$ref": "#/$defs/l0", "$defs": definitions})
        };
        assert_eq!(Schema::new(&doubled(4)).err(), Some(SchemaError::Expanded));
        assert!(Schema::new(&doubled(1)).is_ok());
    }

    #[test]
    fn many_values_against_a_large_schema_are_refused_unchecked() {
        let every = vec![json!({"type": "number"}); 1_000];
        let schema = Schema::new(&json!({"items": {"allOf": every}})).expect("a schema");
        assert!(schema.faults(&json!(vec![1; 1_000])).is_empty());
        assert_eq!(schema.faults(&json!(vec![1; 100_000])).len(), 1);
    }

    #[test]
    fn a_hostile_pattern_takes_linear_time() {
        let schema = Schema::new(&json!({"properties": {"a": {"pattern": "^(a+)+$"}}})).expect("a schema");
        assert_eq!(schema.faults(&json!({"a": format!("{}b", "a".repeat(50_000))})).len(), 1);
    }

    #[test]
    fn what_patterns_match_is_bounded() {
        // Each byte keeps every state busy, and no shortcut of the engine applies.
        let schema = |states: usize| {
            let pattern = format!("[ab]*a[ab]{{{states}}}[^ab][a-z]*");
            json!({"properties": {"a": {"pattern": pattern}}, "patternProperties": {(pattern): {}}})
        };
        let text = |bytes: usize| "ab".repeat(bytes / 2);
        let started = std::time::Instant::now();
        let one = Schema::new(&schema(400)).expect("a schema");
        assert_eq!(one.faults(&json!({"a": text(1_000)})).len(), 1);
        let faults = one.faults(&json!({"a": text(2_000_000)}));
        assert!(faults[0].message.contains("send less"), "{faults:?}");
        assert_eq!(faults[0].pointer, "/a");
        assert_eq!(one.faults(&json!({(text(100_000)): 1})).len(), 1);
        assert!(Schema::new(&schema(9_000)).is_err());
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
        let plain =
            Schema::new(&json!({"properties": {"a": {"type": "string", "pattern": "^[a-z]+$"}}})).expect("a schema");
        assert!(plain.faults(&json!({"a": "x".repeat(400_000), "b": "y".repeat(1_000_000)})).is_empty());
    }
}
