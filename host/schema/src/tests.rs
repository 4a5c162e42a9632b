//! Tests of schemas that generators and strangers write.

use std::collections::BTreeSet;

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
fn what_is_no_schema_and_giants_are_refused() {
    let deep = (0..100).fold(json!({}), |inner, _| json!({"not": inner}));
    for bad in [json!(7), json!({"properties": {"a": 7}}), json!({"properties": []}), json!({"allOf": {}}), deep] {
        assert!(Schema::new(&bad).is_err(), "{bad}");
    }
}

/// A schema, values that fit it, values that do not, and the pointers of what is not checked.
type Case = (Value, Vec<Value>, Vec<Value>, Vec<&'static str>);

fn check(cases: Vec<Case>) {
    for (schema, good, bad, unchecked) in cases {
        let prepared = Schema::new(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
        for value in good {
            assert!(prepared.fits(&value), "{schema}: {value}: {:?}", prepared.faults(&value));
        }
        for value in bad {
            assert!(!prepared.fits(&value), "{schema}: {value}");
        }
        let pointers: BTreeSet<_> = prepared.unchecked().iter().map(|note| note.pointer.as_str()).collect();
        assert_eq!(pointers, unchecked.into_iter().collect(), "{schema}");
    }
}

#[test]
fn what_cannot_be_checked_passes_unchecked_and_is_told() {
    let circle =
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}});
    check(vec![
        (json!({"$ref": "#"}), vec![json!(1)], vec![], vec!["/$ref"]),
        (circle, vec![json!([[1]])], vec![], vec!["/$defs/b/items/$ref"]),
        (json!({"$ref": "https://example.com/schema"}), vec![json!(1)], vec![], vec!["/$ref"]),
        (json!({"$ref": "file:///etc/passwd"}), vec![json!(1)], vec![], vec!["/$ref"]),
        (json!({"$dynamicRef": "#x"}), vec![json!(1)], vec![], vec!["/$dynamicRef"]),
        (json!({"type": "nothing", "minLength": 2}), vec![json!("ab")], vec![json!("a")], vec!["/type"]),
        (json!({"pattern": "("}), vec![json!("a")], vec![], vec!["/pattern"]),
        (
            json!({"$ref": "#/$defs/%ff", "$defs": {"\u{fffd}": {"type": "null"}}}),
            vec![json!(1)],
            vec![],
            vec!["/$ref"],
        ),
        (json!({"$ref": "#/$defs/none"}), vec![json!(1)], vec![], vec!["/$ref"]),
        (json!({"$ref": 7}), vec![json!(1)], vec![], vec!["/$ref"]),
        (json!({"required": true, "minLength": "3"}), vec![json!("a")], vec![], vec!["/required", "/minLength"]),
    ]);
}

#[test]
fn what_is_wrong_is_told_from_what_is_only_not_checked() {
    let is_mistake = |schema: Value| {
        let notes = crate::unchecked(&schema);
        assert_eq!(notes.len(), 1, "{schema}: {notes:?}");
        notes[0].is_mistake
    };
    for wrong in [
        json!({"type": "text"}),
        json!({"minLength": "3"}),
        json!({"pattern": "("}),
        json!({"patternProperties": {"[z-a]": true}}),
        json!({"$ref": "#/$defs/none"}),
        json!({"$ref": "https://example.com/schema"}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": 7}}),
    ] {
        assert!(is_mistake(wrong.clone()), "{wrong}");
    }
    for right in [
        json!({"pattern": EMAIL}),
        json!({"pattern": r"^(a|b)\1$"}),
        json!({"pattern": "(a{1000}){1000}"}),
        json!({"items": {"$ref": "#"}}),
    ] {
        assert!(!is_mistake(right.clone()), "{right}");
    }
}

/// zod 4's pattern of an e-mail address.
const EMAIL: &str = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$";

#[test]
fn schemas_of_common_generators_are_read() {
    let tree = json!({"type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "$defs": {"node": {
        "type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}}});
    let seven = json!({"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://example.com/t.json",
        "type": "object", "definitions": {"id": {"$id": "#id", "type": "integer"}},
        "properties": {"pair": {"type": "array", "items": [{"type": "string"}, {"$ref": "#/definitions/id"}],
            "additionalItems": false}, "named": {"$ref": "#id"},
            "far": {"$ref": "https://example.com/t.json#/definitions/id"}},
        "dependencies": {"pair": ["named"], "far": {"required": ["pair"]}}});
    check(vec![
        // zod 4: `z.email()`. The rest of the schema is checked.
        (
            json!({"type": "object", "required": ["to"], "properties": {
                "to": {"type": "string", "format": "email", "pattern": EMAIL}}}),
            vec![json!({"to": "a@b.example"})],
            vec![json!({"to": 1}), json!({})],
            vec!["/properties/to/pattern"],
        ),
        // zod-to-json-schema: a schema that is used twice.
        (
            json!({"type": "object", "properties": {"from": {"type": "string"}, "to": {"$ref": "#/properties/from"}}}),
            vec![json!({"to": "x"})],
            vec![json!({"to": 1})],
            vec![],
        ),
        (
            seven,
            vec![json!({"pair": ["a", 1], "named": 2})],
            vec![
                json!({"pair": [1, "a"], "named": 2}),
                json!({"pair": ["a", 1, 2], "named": 2}),
                json!({"pair": ["a", 1]}),
                json!({"named": "x"}),
                json!({"far": 1}),
                json!({"far": "x", "pair": ["a", 1], "named": 1}),
            ],
            vec![],
        ),
        // pydantic and others: a recursive type. The first level is checked.
        (
            tree,
            vec![json!({"root": {"name": "a", "children": [{"name": "b"}, {"any": 1}]}})],
            vec![json!({"root": {"children": []}}), json!({"root": {"name": "a", "children": {}}})],
            vec!["/$defs/node/properties/children/items/$ref"],
        ),
    ]);
}

#[test]
fn schemas_of_other_generators_are_read() {
    check(vec![
        // OpenAPI 3.0.
        (
            json!({"type": "object", "properties": {
                "n": {"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false},
                "s": {"type": "string", "nullable": true, "enum": ["a"], "example": "a"}}}),
            vec![json!({"n": 9, "s": null}), json!({"s": "a"})],
            vec![json!({"n": 0}), json!({"s": "b"}), json!({"n": 10})],
            vec![],
        ),
        // Go: empty lists are null. And an object of which nothing is known, and a list of anything.
        (
            json!({"type": "object", "properties": {"o": {"type": "object"}, "l": {"type": "array", "items": null}},
                "required": null}),
            vec![json!({"o": {"a": 1}, "l": [1, "a"]}), json!({})],
            vec![json!({"l": 1})],
            vec![],
        ),
        (json!({"type": "object"}), vec![json!({"a": 1})], vec![json!(1)], vec![]),
        // Python's names of types.
        (
            json!({"properties": {"a": {"type": "any"}, "b": {"type": "integer"}}}),
            vec![json!({"a": [1], "b": 1})],
            vec![json!({"b": "x"})],
            vec!["/properties/a/type"],
        ),
    ]);
}

#[test]
fn nothing_is_refused_because_a_part_is_not_checked() {
    let around = json!({"pattern": "(?=a)b"});
    let around_name = json!({"(?=a)b": {"type": "string"}});
    check(vec![
        (json!({"not": around}), vec![json!("x")], vec![], vec!["/not/pattern"]),
        (json!({"oneOf": [around, {"type": "string"}]}), vec![json!("x"), json!(1)], vec![], vec!["/oneOf/0/pattern"]),
        (
            json!({"if": around, "then": {"type": "integer"}, "else": {"type": "null"}}),
            vec![json!("x"), json!(1.5)],
            vec![],
            vec!["/if/pattern"],
        ),
        (json!({"contains": around, "maxContains": 1}), vec![json!(["x", "y", 3])], vec![], vec!["/contains/pattern"]),
        (
            json!({"patternProperties": around_name, "additionalProperties": false}),
            vec![json!({"b": 1})],
            vec![],
            vec!["/patternProperties/(?=a)b"],
        ),
        (
            json!({"$ref": "https://example.com/base", "unevaluatedProperties": false}),
            vec![json!({"b": 1})],
            vec![],
            vec!["/$ref"],
        ),
    ]);
}

#[test]
fn types_that_all_use_each_other_are_read() {
    let kinds: Vec<_> = (0..40).map(|n| format!("k{n}")).collect();
    let any = json!({"anyOf": kinds.iter().map(|kind| json!({"$ref": format!("#/$defs/{kind}")})).collect::<Vec<_>>()});
    let kind = |name: &String| {
        (name.clone(), json!({"type": "object", "required": [name], "properties": {"inner": {"$ref": "#/$defs/any"}}}))
    };
    let mut definitions: serde_json::Map<_, _> = kinds.iter().map(kind).collect();
    definitions.insert("any".to_owned(), any);
    let schema = json!({"type": "object", "properties": {"block": {"$ref": "#/$defs/any"}}, "$defs": definitions});
    let schema = Schema::new(&schema).expect("a schema");
    assert!(schema.fits(&json!({"block": {"k7": 1, "inner": {"k9": 1}}})));
    assert!(!schema.fits(&json!({"block": {"none": 1}})) && !schema.unchecked().is_empty());
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
    assert_eq!(schema.faults(&json!(vec![1; 3])).len(), 1, "both alternatives refuse the first item");
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
    let lengths = Schema::new(&json!({"items": {"allOf": vec![json!({"minLength": 1}); 1_000]}})).expect("a schema");
    assert!(lengths.fits(&json!(["x"])));
    let faults = lengths.faults(&json!(["x".repeat(1_000_000)]));
    assert!(faults[0].message.contains("bytes of text are too many"), "{faults:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn long_checks_leave_the_thread_that_asks_free() {
    let schema = Schema::new(&json!({"items": {"allOf": vec![json!({"type": "number"}); 1_000]}})).expect("a schema");
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
    assert_eq!(Schema::new(&schema(9_000)).expect("a schema").unchecked().len(), 2, "both are too large");
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    let plain =
        Schema::new(&json!({"properties": {"a": {"type": "string", "pattern": "^[a-z]+$"}}})).expect("a schema");
    assert!(plain.faults(&json!({"a": "x".repeat(400_000), "b": "y".repeat(1_000_000)})).is_empty());
}
