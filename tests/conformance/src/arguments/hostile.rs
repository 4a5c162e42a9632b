//! Arguments that do not fit the schema.

use behalf_schema::Schema;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};

use super::required;

/// Slightly more than a megabyte.
const HUGE: usize = 1_050_000;
/// More levels than any parser accepts.
const NESTED: usize = 20_000;

/// Arguments that a host with a schema refuses before the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostileArguments {
    /// The text that the component gets.
    pub(crate) text: String,
    /// Whether the tool must answer with an error.
    pub(crate) must_be_refused: bool,
}

/// At most `most` hostile arguments: first those that must be refused, then a random choice of others.
pub(crate) fn hostile(
    schema: &Value,
    compiled: &Schema,
    good: &Value,
    most: usize,
    rng: &mut StdRng,
) -> Vec<HostileArguments> {
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(NESTED), close.repeat(NESTED));
    let mut found: Vec<_> = [
        "",
        " ",
        "null",
        "true",
        "5",
        "\"text\"",
        "{",
        "}",
        "{\"a\":}",
        "{\"a\": 1,}",
        "{} {}",
        "{'a': 1}",
        "{\"a\": 1e999",
        "\u{feff}{",
        "undefined",
        "\u{0}",
        "{\"\\ud800\": 1",
    ]
    .iter()
    .map(|&text| text.to_owned())
    .chain([nested("[", "]"), "{\"a\":".repeat(NESTED), "[1,".repeat(NESTED)])
    .map(|text| HostileArguments { text, must_be_refused: true })
    .collect();
    let good = good.as_object().cloned().unwrap_or_default();
    for name in required(schema) {
        let mut object = good.clone();
        object.remove(name);
        let text = Value::Object(object).to_string();
        found.push(HostileArguments { text, must_be_refused: true });
    }
    let mut rest = with_one_fault(schema, &good);
    // Some parsers take a list for the values of an object in order, which does no harm.
    rest.extend(["[]", "[{}]", "[null, 1]"].map(str::to_owned));
    rest.push(format!("{{\"unknown\": {}}}", nested("[", "]")));
    rest.push(nested("{\"unknown\":", "}"));
    rest.push(format!("{{\"unknown\": \"{}\"}}", "x".repeat(HUGE)));
    rest.push("{\"unknown\": 1e999}".to_owned());
    rest.shuffle(rng);
    found.extend(rest.into_iter().map(|text| HostileArguments { text, must_be_refused: false }));
    found.retain(|one| !serde_json::from_str(&one.text).is_ok_and(|value: Value| compiled.fits(&value)));
    found.truncate(most);
    found
}

/// Good arguments with one fault each.
fn with_one_fault(schema: &Value, good: &Map<String, Value>) -> Vec<String> {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("text"),
        json!("x".repeat(50_000)),
        json!([]),
        json!([null, [], {}]),
        json!({}),
        json!({"a": {"b": []}}),
    ];
    let mut found = Vec::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    for name in properties.into_iter().flat_map(Map::keys) {
        for value in &values {
            let mut object = good.clone();
            object.insert(name.clone(), value.clone());
            found.push(Value::Object(object).to_string());
        }
    }
    for extra in ["__proto__", "constructor", "unknown", ""] {
        let mut object = good.clone();
        object.insert(extra.to_owned(), json!({"a": 1}));
        found.push(Value::Object(object).to_string());
    }
    found
}
