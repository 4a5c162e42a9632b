//! The arguments that tools are called with: edge cases of the schema first, then random mixtures from a seed. There are
//! crates that draw random values from a schema, but none that begins with its bounds, where tools break.

mod choices;
mod hostile;
mod known;
mod values;

use behalf_schema::Schema;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value};

use crate::leaves::{below, leaves};
pub(crate) use hostile::hostile;
pub(crate) use known::KnownValues;
use values::values;

/// Bytes of arguments; a host accepts two megabytes over HTTP.
const MAX_BYTES: usize = 1024 * 1024;

/// The number of values of one property that are tried one by one.
const PER_PROPERTY: usize = 24;

/// Arguments that fit a schema: all properties, required ones alone, every choice that the schema shows, and then at most `most`
/// others: one edge case at a time, then mixtures.
pub(crate) fn fitting(
    schema: &Value,
    compiled: &Schema,
    known: &KnownValues,
    most: usize,
    rng: &mut StdRng,
) -> Vec<Value> {
    let properties = properties(schema, known, rng);
    let required = required(schema);
    let full: Map<_, _> =
        properties.iter().filter_map(|(name, values)| Some((name.clone(), values.first()?.clone()))).collect();
    let bare: Map<_, _> = full
        .iter()
        .filter(|(name, _)| required.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let choices = choices::choosing(schema, compiled, &full, rng);
    let (mut found, most) = (Vec::new(), most + choices.len());
    let mut add = |object: Map<String, Value>| {
        let value = Value::Object(object);
        let new = found.len() < most && !found.contains(&value);
        if new && compiled.fits(&value) && value.to_string().len() <= MAX_BYTES {
            found.push(value);
        }
    };
    add(full.clone());
    add(bare.clone());
    for one in choices {
        if let Value::Object(object) = one {
            add(object);
        }
    }
    // Round by round, so that a bound on the number leaves no property out.
    for round in 0..PER_PROPERTY {
        for (name, values) in &properties {
            for base in [&bare, &full] {
                if let Some(value) = values.get(round) {
                    let mut object = base.clone();
                    object.insert(name.clone(), value.clone());
                    add(object);
                }
            }
        }
    }
    for _ in 0..most {
        let mut object = Map::new();
        for (name, values) in &properties {
            if (required.contains(&name.as_str()) || rng.random_bool(0.6))
                && let Some(value) = values.choose(rng)
            {
                object.insert(name.clone(), value.clone());
            }
        }
        add(object);
    }
    found
}

/// Arguments that differ from good ones in the value of one property.
pub(crate) fn varied(
    schema: &Value,
    compiled: &Schema,
    known: &KnownValues,
    good: &Value,
    rng: &mut StdRng,
) -> Vec<Value> {
    let mut found = Vec::new();
    for (name, values) in properties(schema, known, rng) {
        let changed = values.iter().filter(|value| good.get(&name) != Some(*value)).map(|value| {
            let mut object = good.as_object().cloned().unwrap_or_default();
            object.insert(name.clone(), value.clone());
            Value::Object(object)
        });
        found.extend(changed.take(PER_PROPERTY).find(|one| compiled.fits(one)));
    }
    found
}

/// The places of texts: those in these arguments, and properties for a text that are not in them.
pub(crate) fn text_places(schema: &Value, arguments: &Value) -> Vec<String> {
    let there = leaves(arguments).into_iter().filter(|(_, value)| value.is_string()).map(|(place, _)| place);
    let mut places: Vec<_> = there.collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let absent =
        properties.into_iter().flat_map(Map::keys).filter(|name| arguments.get(*name).is_none_or(Value::is_null));
    places.extend(absent.map(|name| below("", name)));
    places
}

/// Each property of an object's schema with values for it, likely ones first: what the schema names, what is in the caller's
/// rows, and then edge cases.
fn properties(schema: &Value, known: &KnownValues, rng: &mut StdRng) -> Vec<(String, Vec<Value>)> {
    let object = schema.get("properties").and_then(Value::as_object);
    let named = object.into_iter().flatten().map(|(name, part)| {
        let mut found = values(part, schema, 0, rng);
        let named = ["examples", "const", "default", "enum"].iter().any(|key| part.get(*key).is_some());
        let place = if named { 1.min(found.len()) } else { 0 };
        let fields = part.as_object().cloned().unwrap_or_default();
        if let (values @ [_, ..], Ok(fits)) =
            (known.for_property(name), Schema::new(&with_definitions(&fields, schema)))
        {
            found.splice(place..place, values.iter().filter(|value| fits.fits(value)).cloned());
        }
        found.truncate(PER_PROPERTY);
        (name.clone(), found)
    });
    named.collect()
}

/// A part of a schema, with the definitions that it refers to.
pub(crate) fn with_definitions(part: &Map<String, Value>, root: &Value) -> Value {
    let mut part = part.clone();
    if let (false, Some(definitions)) = (part.contains_key("$defs"), root.get("$defs")) {
        part.insert("$defs".to_owned(), definitions.clone());
    }
    Value::Object(part)
}

pub(crate) fn required(schema: &Value) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object", "required": ["month"], "additionalProperties": false,
            "properties": {
                "month": {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"},
                "limit": {"$ref": "#/$defs/limit"},
                "search": {"type": ["string", "null"], "maxLength": 5},
                "day": {"type": "string", "format": "date"},
                "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2, "minItems": 1},
                "where": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}, "required": ["id"]},
                "either": {"anyOf": [{"const": 7}, {"type": "boolean"}]},
            },
            "$defs": {"limit": {"type": "integer", "minimum": 1, "maximum": 100}},
        })
    }

    #[test]
    fn corners_of_every_property_are_tried() {
        let (schema, mut rng) = (schema(), StdRng::seed_from_u64(1));
        let compiled = Schema::new(&schema).expect("a schema");
        let all = fitting(&schema, &compiled, &KnownValues::default(), 300, &mut rng);
        assert!(all.len() > 60, "{}", all.len());
        let has = |pointer: &str, wanted: &Value| all.iter().any(|one| one.pointer(pointer) == Some(wanted));
        for (pointer, wanted) in [
            ("/limit", json!(1)),
            ("/limit", json!(100)),
            ("/search", json!(null)),
            ("/search", json!("")),
            ("/tags/1", json!("b")),
            ("/either", json!(7)),
            ("/either", json!(true)),
        ] {
            assert!(has(pointer, &wanted), "{pointer} {wanted}");
        }
        assert!(all.iter().any(|one| one["where"]["id"].is_string() && one["day"].is_string()));
        assert!(all.iter().any(|one| one["search"].as_str().is_some_and(|text| text.chars().count() == 5)));
        assert!(all.iter().all(|one| one["month"].as_str().is_some_and(|month| month.len() == 7)));
    }

    #[test]
    fn a_seed_gives_the_same_arguments() {
        let schema = schema();
        let compiled = Schema::new(&schema).expect("a schema");
        let draw = |seed| fitting(&schema, &compiled, &KnownValues::default(), 200, &mut StdRng::seed_from_u64(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn hostile_arguments_do_not_fit_and_say_what_must_be_refused() {
        let schema = schema();
        let compiled = Schema::new(&schema).expect("a schema");
        let good = json!({"month": "2026-01"});
        let all = hostile(&schema, &compiled, &good, 500, &mut StdRng::seed_from_u64(1));
        let missing = all.iter().find(|one| one.text == "{}").expect("a missing property");
        assert!(missing.must_be_refused);
        assert!(all.iter().any(|one| one.text.starts_with("[[[[") && one.must_be_refused));
        assert!(all.iter().any(|one| one.text.len() > 1_000_000));
        for one in &all {
            let fits = serde_json::from_str(&one.text).is_ok_and(|value: Value| compiled.fits(&value));
            assert!(!fits, "{}", one.text);
        }
    }
}
