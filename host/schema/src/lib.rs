//! JSON Schemas of arguments and results: they come from plugins, operators and MCP servers, so each is bounded before it is used.
//!
//! A crate of its own, because the validator is compiled anew in each crate that calls it.

mod deferred;
mod inline;
mod message;
mod pattern;
mod pool;
mod prepared;
mod unique;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use deferred::Deferred;
use prepared::Prepared;

pub use deferred::SchemaSource;
pub use pool::{Busy, CheckError, prepare};

/// One reason why a value does not fit a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the value; empty for the whole value.
    pub pointer: String,
    /// The fault at that place.
    pub message: String,
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SchemaError {
    /// It is not a schema.
    #[error("not a JSON Schema (2020-12): {0}")]
    Invalid(String),
    /// It nests too deeply or holds too many values.
    #[error("a schema may nest {0} levels and hold {1} values")]
    TooLarge(usize, usize),
    /// It holds too many values once its references are replaced.
    #[error("a schema may hold {0} values and nest {1} schemas with every reference put in its place")]
    Expanded(usize, usize),
    /// It has too many patterns once its references are replaced.
    #[error("a schema may hold {0} patterns with every reference put in its place")]
    Patterns(usize),
    /// It has a reference that is not allowed.
    #[error("references ($ref) may point into the schema only (#/$defs/…), and not in a circle: {0}")]
    Reference(String),
}

/// A schema that checks values. Clones share it.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Form>);

#[derive(Debug)]
enum Form {
    Ready(Prepared),
    Deferred(Deferred),
}

impl Schema {
    /// Prepares a schema. Its references are replaced by what they point to, so the validator sees none: nothing is fetched, and
    /// there is no second reading of them. Patterns take linear time. The work is bounded, but may take a second: see [`prepare`].
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        Ok(Self(Arc::new(Form::Ready(Prepared::new(schema)?))))
    }

    /// Takes a schema that was found usable before, and prepares it when a value is first checked with it: a host holds thousands
    /// of schemas and needs few of them.
    pub fn deferred(source: impl SchemaSource) -> Self {
        Self(Arc::new(Form::Deferred(Deferred::new(source))))
    }

    /// Values in it, with every reference replaced: a measure of its memory. A schema that cannot be used has none.
    pub fn size(&self) -> usize {
        self.ready().map_or(0, Prepared::size)
    }

    /// Everything in a value that does not fit the schema, at most 20 faults. [`Schema::check`] does it off the caller's thread.
    pub fn faults(&self, value: &Value) -> Vec<Fault> {
        match self.ready() {
            Ok(ready) => ready.faults(value),
            Err(error) => vec![Fault { pointer: String::new(), message: error.to_string() }],
        }
    }

    /// Whether a value fits the schema. None fits one that cannot be used.
    pub fn fits(&self, value: &Value) -> bool {
        self.ready().is_ok_and(|ready| ready.fits(value))
    }

    /// The schema in the form that checks values, made on this thread where it was not needed before.
    fn ready(&self) -> Result<&Prepared, &SchemaError> {
        match &*self.0 {
            Form::Ready(prepared) => Ok(prepared),
            Form::Deferred(deferred) => deferred.prepared(),
        }
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
            json!({"$ref": "#/$defs/%ff", "$defs": {"\u{fffd}": {}}}),
            json!({"$ref": "#/$defs/none"}),
            json!({"items": [{"$ref": "#/$defs/%61"}], "$defs": {"a": {}}}),
            json!({"$ref": 7}),
            json!({"properties": {"a": {"$anchor": "x"}}}),
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
        assert!(matches!(Schema::new(&doubled(4)), Err(SchemaError::Expanded(..))));
        assert!(Schema::new(&doubled(1)).is_ok());
    }

    /// `levels` definitions of which each stands for twice the next one, reached by references that are percent-encoded. Beside
    /// each stands a decoy, which is what the reference would point to if it were not decoded.
    fn encoded_chain(levels: usize) -> Value {
        let mut definitions = serde_json::Map::new();
        for level in 0..levels {
            let below = json!({"$ref": format!("#/$defs/%61{}", level + 1)});
            definitions.insert(format!("a{level}"), json!({"allOf": [below, below]}));
            definitions.insert(format!("%61{level}"), json!({}));
        }
        definitions.insert(format!("a{levels}"), json!({"type": "integer"}));
        definitions.insert(format!("%61{levels}"), json!({}));
        json!({"type": "object", "properties": {"n": {"$ref": "#/$defs/%610"}}, "$defs": definitions})
    }

    #[test]
    fn references_are_decoded_before_they_are_counted() {
        for levels in [14, 29] {
            assert!(matches!(Schema::new(&encoded_chain(levels)), Err(SchemaError::Expanded(..))), "{levels}");
        }
        let schema = Schema::new(&encoded_chain(5)).expect("a schema");
        let faults = schema.faults(&json!({"n": "x"}));
        assert_eq!(faults.len(), 1, "the last definition was checked 32 times and said once, no decoy: {faults:?}");
        assert!(schema.fits(&json!({"n": 1})));
    }

    #[test]
    fn references_are_replaced_by_what_they_point_to() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": {"$ref": "#/$defs/a%20~1b~0%25"},
                "b": {"$ref": "#/properties/a", "minLength": 3},
                "c": {"$ref": "#/definitions/list/items"},
                "d": {"$ref": "#/$defs/never"},
                "$ref": {"type": "integer"},
                "$id": {"const": {"$ref": "#"}},
            },
            "$defs": {"a /b~%": {"type": "string"}, "never": false, "unused": {"$ref": "#/$defs/unused"}},
            "definitions": {"list": {"items": {"enum": [1, 2]}}},
        });
        let schema = Schema::new(&schema).expect("a schema");
        assert!(schema.fits(&json!({"a": "x", "b": "xyz", "c": 2, "$ref": 1, "$id": {"$ref": "#"}})));
        for bad in [
            json!({"a": 1}),
            json!({"b": "xy"}),
            json!({"b": 1}),
            json!({"c": 3}),
            json!({"d": 1}),
            json!({"$ref": "#"}),
            json!({"$id": {}}),
        ] {
            assert!(!schema.fits(&bad), "{bad}");
        }
    }

    #[test]
    fn only_the_properties_that_nothing_evaluated_are_refused() {
        let schema = json!({
            "$ref": "#/$defs/base", "properties": {"b": {}}, "unevaluatedProperties": false,
            "$defs": {"base": {"properties": {"a": {}}}},
        });
        let schema = Schema::new(&schema).expect("a schema");
        assert!(schema.fits(&json!({"a": 1, "b": 2})) && !schema.fits(&json!({"c": 3})));
        let nested = (0..14).fold(json!({}), |inner, _| json!({"allOf": [inner], "unevaluatedProperties": false}));
        assert!(matches!(Schema::new(&nested), Err(SchemaError::Expanded(..))));
    }

    #[test]
    fn faults_of_alternatives_are_not_collected_without_bound() {
        let schema = Schema::new(&json!({"anyOf": [{"items": {"type": "string"}}, {"items": {"type": "null"}}]}));
        let schema = schema.expect("a schema");
        let faults = schema.faults(&json!(vec![1; 500_000]));
        assert!(faults.len() == 1 && faults[0].message.contains("too many to say where"), "{faults:?}");
        assert!(schema.faults(&json!(vec![1; 3]))[0].message.contains("anyOf"));
        let schema = Schema::new(&json!({"anyOf": vec![json!({"type": "number"}); 200]})).expect("a schema");
        let faults = schema.faults(&json!("x".repeat(2_000_000)));
        assert!(faults.len() == 1 && faults[0].message.contains("too many to say where"), "{faults:?}");
        let ready = schema.ready().expect("it is ready");
        assert!(ready.is_quick(&json!("x")) && !ready.is_quick(&json!("x".repeat(20_000))));
    }

    #[test]
    fn a_text_that_should_be_a_pattern_is_compiled_within_bounds() {
        let schema = Schema::new(&json!({"items": {"format": "regex"}})).expect("a schema");
        assert!(schema.fits(&json!(["^a+$"])) && !schema.fits(&json!(["("])));
        assert!(!schema.fits(&json!(["[ab]*a[ab]{20000}[^ab]"])) && !schema.fits(&json!(["a".repeat(100_000)])));
        assert!(!schema.fits(&json!(vec!["a".repeat(1_000); 10_000])), "the sum of them is bounded");
        assert!(schema.fits(&json!(vec!["a"; 200])) && !schema.fits(&json!(vec!["a"; 10_000])), "short ones cost, too");
        let ready = schema.ready().expect("it is ready");
        assert!(!ready.is_quick(&json!(["a"])), "it is no work for the thread that asks");
    }

    #[test]
    fn patterns_and_texts_are_counted() {
        let many = json!({"allOf": vec![json!({"pattern": "a"}); 600]});
        assert!(matches!(Schema::new(&many), Err(SchemaError::Patterns(_))));
        let lengths =
            Schema::new(&json!({"items": {"allOf": vec![json!({"minLength": 1}); 1_000]}})).expect("a schema");
        assert!(lengths.fits(&json!(["x"])));
        let faults = lengths.faults(&json!(["x".repeat(1_000_000)]));
        assert!(faults[0].message.contains("bytes of text are too many"), "{faults:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn long_checks_leave_the_thread_that_asks_free() {
        let schema =
            Schema::new(&json!({"items": {"allOf": vec![json!({"type": "number"}); 1_000]}})).expect("a schema");
        let (mut ticks, long) = (0, json!(vec![1; 5_000]));
        let checks = futures::future::join_all((0..4).map(|_| schema.check(long.clone())));
        tokio::pin!(checks);
        let checked = loop {
            tokio::select! {
                biased;
                () = tokio::task::yield_now() => ticks += 1,
                checked = &mut checks => break checked,
            }
        };
        // One thread serves the ticks: if it made the checks, it would hardly come to them.
        assert!(ticks > 10, "{ticks}");
        for checked in checked {
            let (value, faults) = checked.expect("a place");
            assert!(value == long && faults.is_empty(), "{faults:?}");
        }
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
