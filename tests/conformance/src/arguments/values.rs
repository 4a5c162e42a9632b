//! Values for a schema: likely ones first, then its edge cases.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand_regex::Regex;
use serde_json::{Map, Number, Value, json};

use crate::caller::{ALICE, BOB};

/// Levels of objects and arrays for which values are made.
const DEPTH: usize = 6;
/// Levels at which a schema without a type also gets lists and objects.
const ANYTHING_DEPTH: usize = 2;
/// Characters of a text where the schema sets no bound.
const LONG: usize = 20_000;
/// Entries of a list where the schema sets no bound.
const MANY: usize = 200;

/// Text that breaks many tools. Marks of users are not in it, because a tool may repeat its arguments.
const TEXTS: [&str; 16] = [
    "garden",
    "",
    "a",
    "%",
    "_",
    "\\",
    "' or '1'='1",
    "'; drop table notes; --",
    "$1",
    "Zürich 東京 \u{1f331} e\u{301}",
    "\u{202e}right to left",
    "line one\nline \"two\"\t\r\n",
    "null",
    "\u{0}",
    "  ",
    "{\"a\": [1]}",
];

/// Values for a schema, likely ones first, then edge cases. Not all of them fit the schema; the caller checks that.
pub(super) fn values(schema: &Value, root: &Value, depth: usize, rng: &mut StdRng) -> Vec<Value> {
    let schema = resolved(schema, root);
    let mut found = Vec::new();
    if depth > DEPTH {
        return found;
    }
    found.extend(schema.get("examples").and_then(Value::as_array).into_iter().flatten().cloned());
    found.extend(["const", "default"].iter().filter_map(|key| schema.get(*key).cloned()));
    found.extend(schema.get("enum").and_then(Value::as_array).into_iter().flatten().cloned());
    for key in ["anyOf", "oneOf", "allOf"] {
        for part in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            found.extend(values(part, root, depth + 1, rng));
        }
    }
    let closed = ["const", "enum", "anyOf", "oneOf"].iter().any(|key| schema.get(*key).is_some());
    if !closed {
        for kind in kinds(schema, depth) {
            found.extend(of_kind(kind, schema, root, depth, rng));
        }
    }
    let mut distinct: Vec<Value> = Vec::with_capacity(found.len());
    for value in found {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

/// The schema that a reference points to. A host refuses circles and references to other documents.
pub(super) fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEPTH {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { break };
        let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) else { break };
        schema = target;
    }
    schema
}

fn kinds(schema: &Value, depth: usize) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ if schema.get("items").is_some() => vec!["array"],
        _ if schema.get("pattern").is_some() => vec!["string"],
        // Lists of lists of anything would grow with every level.
        _ if depth > ANYTHING_DEPTH => vec!["string", "integer", "boolean", "null"],
        _ => vec!["string", "integer", "boolean", "null", "array", "object"],
    }
}

fn of_kind(kind: &str, schema: &Value, root: &Value, depth: usize, rng: &mut StdRng) -> Vec<Value> {
    match kind {
        "null" => vec![Value::Null],
        "boolean" => vec![json!(true), json!(false)],
        "integer" => integers(schema),
        "number" => numbers(schema),
        "string" => texts(schema, rng),
        "array" => arrays(schema, root, depth, rng),
        "object" => objects(schema, root, depth, rng),
        _ => Vec::new(),
    }
}

fn bound(schema: &Value, key: &str) -> Option<i64> {
    let value = schema.get(key)?;
    #[expect(clippy::cast_possible_truncation, reason = "a bound that is cut is still a value to try")]
    value.as_i64().or_else(|| value.as_f64().map(|float| float as i64))
}

fn integers(schema: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for (key, step) in [("minimum", 1), ("exclusiveMinimum", 1), ("maximum", -1), ("exclusiveMaximum", -1)] {
        if let Some(bound) = bound(schema, key) {
            found.extend([bound, bound.saturating_add(step), bound.saturating_sub(step)]);
        }
    }
    found.extend([1, 0, -1, 2, 10, i64::from(i32::MAX), i64::from(i32::MAX) + 1, (1 << 53) + 1, i64::MAX, i64::MIN]);
    let mut found: Vec<_> = found.into_iter().map(Value::from).collect();
    found.extend([json!(u64::MAX), json!(1.0)]);
    found
}

fn numbers(schema: &Value) -> Vec<Value> {
    let mut found = integers(schema);
    let floats = [0.5, -0.0, 1e-308, 1e308, 0.1 + 0.2];
    found.extend(floats.iter().filter_map(|float| Number::from_f64(*float)).map(Value::Number));
    found
}

fn texts(schema: &Value, rng: &mut StdRng) -> Vec<Value> {
    let length = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let mut found = Vec::new();
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        found.extend(matching(pattern, rng));
    }
    found.extend(format(schema.get("format").and_then(Value::as_str)).iter().map(|&text| text.to_owned()));
    found.extend(TEXTS.iter().take(1).map(|&text| text.to_owned()));
    let longest = length("maxLength").unwrap_or(LONG).min(LONG);
    found.push("x".repeat(longest));
    found.extend(length("minLength").filter(|length| *length <= LONG).map(|length| "y".repeat(length)));
    found.push("\u{1f331}".repeat(longest.min(1_000)));
    found.extend([BOB, ALICE].iter().chain(&TEXTS).map(|&text| text.to_owned()));
    let cut = |text: String| text.chars().take(longest).collect::<String>();
    found.into_iter().map(cut).map(Value::String).collect()
}

/// Texts that match a pattern. The anchors around it are removed, because the generated text is a match of the whole.
fn matching(pattern: &str, rng: &mut StdRng) -> Vec<String> {
    let inner = pattern.strip_prefix('^').unwrap_or(pattern);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    Regex::compile(inner, 20).map(|regex| (0..4).map(|_| rng.sample(&regex)).collect()).unwrap_or_default()
}

fn format(format: Option<&str>) -> &'static [&'static str] {
    match format {
        Some("date") => &["2026-04-02", "0001-01-01", "9999-12-31", "2024-02-29"],
        Some("date-time") => &["2026-04-02T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999Z"],
        Some("time") => &["10:00:00Z", "23:59:59.999Z"],
        Some("uuid") => &[ALICE, BOB, "00000000-0000-0000-0000-000000000000"],
        Some("email") => &["alice@example.com", "\"a b\"@example.com"],
        Some("uri" | "iri" | "url") => &["https://example.com/a?b=c#d", "file:///etc/passwd"],
        Some("ipv4") => &["127.0.0.1"],
        Some("duration") => &["P1D", "PT0S"],
        _ => &[],
    }
}

fn arrays(schema: &Value, root: &Value, depth: usize, rng: &mut StdRng) -> Vec<Value> {
    let length = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let (least, most) = (length("minItems").unwrap_or(0), length("maxItems").unwrap_or(MANY).min(MANY));
    let any = json!({});
    let items = values(schema.get("items").unwrap_or(&any), root, depth + 1, rng);
    let mut found = vec![];
    let first: Vec<_> = items.iter().take(least.max(1)).cloned().collect();
    found.push(Value::Array(first));
    found.push(json!([]));
    found.push(Value::Array(items.iter().take(most).cloned().collect()));
    found.push(Value::Array(items.iter().cycle().take(if items.is_empty() { 0 } else { most }).cloned().collect()));
    found.extend(items.iter().take(8).map(|item| Value::Array(vec![item.clone(); least.max(1)])));
    found
}

fn objects(schema: &Value, root: &Value, depth: usize, rng: &mut StdRng) -> Vec<Value> {
    let empty = Map::new();
    let parts = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required = super::required(schema);
    let values: Vec<_> = parts.iter().map(|(name, part)| (name, values(part, root, depth + 1, rng))).collect();
    let of = |wanted: &dyn Fn(&str) -> bool| -> Map<String, Value> {
        let wanted = values.iter().filter(|(name, _)| wanted(name));
        wanted.filter_map(|(name, values)| Some(((*name).clone(), values.first()?.clone()))).collect()
    };
    let mut found = vec![Value::Object(of(&|_| true)), Value::Object(of(&|name| required.contains(&name)))];
    for _ in 0..6 {
        let drawn = values.iter().filter_map(|(name, values)| Some(((*name).clone(), values.choose(rng)?.clone())));
        found.push(Value::Object(drawn.collect()));
    }
    if schema.get("additionalProperties") != Some(&json!(false)) {
        found.extend([json!({"id": BOB}), json!({"": null, "a b\"": [1, {"c": "d"}]})]);
    }
    found
}
