use jsonschema::{Draft, PatternOptions, Validator};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::pattern::{MAX_PATTERN, begin_check, pattern};

/// Faults that are reported of one object; more help nobody.
const MAX_FAULTS: usize = 20;
/// Nesting of a schema. A schema is a stranger's text, and checking follows it.
const MAX_DEPTH: usize = 32;
/// Values in a schema.
const MAX_NODES: usize = 5_000;
/// Values in a schema with every reference put in its place: definitions that use each other twice grow to the power of
/// their number.
const MAX_EXPANDED: usize = 20_000;
/// Values of a schema times values of what is checked. Some tens of nanoseconds each: a second at most.
const MAX_CHECKS: usize = 20_000_000;
/// Bytes of property names times patterns that they are matched with.
const MAX_NAME_BYTES: usize = 64 * 1024;
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
    /// Its references multiply.
    #[error("a schema may hold {MAX_EXPANDED} values with every reference put in its place")]
    Expanded,
    /// It refers to something.
    #[error("references ($ref, $dynamicRef) may point to #/$defs/… only, and not in a circle")]
    Reference,
}

/// A schema that was checked and is ready to check values.
#[derive(Debug)]
pub(super) struct Schema {
    validator: Validator,
    /// Values in it, references in place.
    size: usize,
    /// Patterns of `patternProperties` in it.
    name_patterns: usize,
}

impl Schema {
    /// Prepares a schema. Nothing is fetched, patterns take linear time, and circles are refused, so that checking a value
    /// always ends.
    pub(super) fn new(schema: &Value) -> Result<Self, SchemaError> {
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
            .map_err(|error| SchemaError::Invalid(short(&error.to_string())))
    }

    /// Everything that does not fit.
    pub(super) fn faults(&self, value: &Value) -> Vec<Fault> {
        let fault = |error: jsonschema::ValidationError<'_>| Fault {
            pointer: error.instance_path().to_string(),
            message: short(&error.to_string()),
        };
        let (mut values, mut name_bytes) = (0, 0);
        count(value, &mut values, &mut name_bytes);
        let whole = |message| vec![Fault { pointer: String::new(), message }];
        if values.saturating_mul(self.size) > MAX_CHECKS {
            return whole(format!(
                "{values} values are too many for this schema; send {} at most",
                MAX_CHECKS / self.size.max(1)
            ));
        }
        if name_bytes.saturating_mul(self.name_patterns) > MAX_NAME_BYTES {
            return whole(format!("{name_bytes} bytes of names are too many for this schema's patternProperties"));
        }
        begin_check();
        self.validator.iter_errors(value).take(MAX_FAULTS).map(fault).collect()
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

/// Follows every reference; one that comes back to where it was would let a value be checked for ever.
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
