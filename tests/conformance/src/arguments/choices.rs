//! Arguments that take every way that a schema shows: each word of an enum, each boolean, each kind of a value, with and without
//! each optional property, and each two of these together. Tools branch on them, and rare branches hide faults.

use std::collections::BTreeSet;

use behalf_schema::Schema;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value};

use super::required;
use super::values::{resolved, values};
use crate::leaves::{below, with};

/// Levels of objects whose properties are looked at.
const DEPTH: usize = 4;
/// Places of a schema that are looked at.
const PLACES: usize = 24;
/// Ways of one place that are tried one by one.
const WAYS: usize = 64;
/// Ways of one place that are combined with those of others.
const COMBINED: usize = 12;
/// Arguments altogether.
const MOST: usize = 240;

/// A place of a schema where there is a choice, and what may be there; none where it may be left out.
#[derive(Clone, Debug)]
struct Choice {
    place: String,
    ways: Vec<Option<Value>>,
}

impl Choice {
    /// Whether this way is a value with places in it.
    fn holds(&self, way: usize) -> bool {
        matches!(self.ways.get(way), Some(Some(Value::Object(_) | Value::Array(_))))
    }
}

/// Arguments with every single choice, and then with every two together, as far as they fit the schema.
pub(super) fn choosing(schema: &Value, compiled: &Schema, full: &Map<String, Value>, rng: &mut StdRng) -> Vec<Value> {
    let full = Value::Object(full.clone());
    let mut choices = Vec::new();
    look_at(schema, schema, "", 0, rng, &mut choices);
    choices.truncate(PLACES);
    let mut found: Vec<Value> = Vec::new();
    let mut add = |arguments: Value| {
        if found.len() < MOST && compiled.fits(&arguments) && !found.contains(&arguments) {
            found.push(arguments);
        }
    };
    for choice in &choices {
        for way in choice.ways.iter().take(WAYS) {
            with(&full, &choice.place, way.as_ref()).into_iter().for_each(&mut add);
        }
    }
    choices.iter_mut().for_each(|choice| choice.ways.truncate(COMBINED));
    for ways in pairs(&choices, rng) {
        combined(&full, &choices, &ways).into_iter().for_each(&mut add);
    }
    found
}

/// Collects the choices of a schema's properties.
fn look_at(schema: &Value, root: &Value, place: &str, depth: usize, rng: &mut StdRng, found: &mut Vec<Choice>) {
    let schema = resolved(schema, root);
    let required = required(schema);
    for (name, part) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let part = resolved(part, root);
        let place = below(place, name);
        let mut ways: Vec<_> = ways(part, root, rng).into_iter().map(Some).collect();
        if !required.contains(&name.as_str()) {
            ways.push(None);
        }
        if ways.len() > 1 {
            found.push(Choice { place: place.clone(), ways });
        }
        if depth < DEPTH {
            look_at(part, root, &place, depth + 1, rng, found);
            for key in ["anyOf", "oneOf"] {
                for branch in part.get(key).and_then(Value::as_array).into_iter().flatten() {
                    look_at(branch, root, &place, depth + 1, rng, found);
                }
            }
            if let Some(items) = part.get("items") {
                look_at(items, root, &below(&place, "0"), depth + 1, rng, found);
            }
        }
    }
}

/// The values of which a tool may take each for a case of its own.
fn ways(schema: &Value, root: &Value, rng: &mut StdRng) -> Vec<Value> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    if schema.get("enum").is_some() {
        return list("enum").cloned().collect();
    }
    let branches: Vec<_> = list("anyOf").chain(list("oneOf")).collect();
    if !branches.is_empty() {
        let of = |branch: &Value, rng: &mut StdRng| ways(resolved(branch, root), root, rng);
        return branches.into_iter().flat_map(|branch| of(branch, rng)).collect();
    }
    let kinds: Vec<_> = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(kind)) => vec![kind.as_str()],
        _ => Vec::new(),
    };
    let mut found: Vec<Value> = values(schema, root, 1, rng).into_iter().take(1).collect();
    for kind in kinds {
        match kind {
            "boolean" => found.extend([Value::Bool(true), Value::Bool(false)]),
            "null" => found.push(Value::Null),
            "integer" | "number" => {
                found.extend(["minimum", "maximum"].iter().filter_map(|key| schema.get(*key).cloned()));
            }
            _ => {}
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|value| seen.insert(value.to_string()));
    found
}

/// A way of a choice: its number among the choices, and the way's among those of the choice.
type Taken = (usize, usize);

/// Sets of ways, one for each choice, in which every two ways of two choices are together at least once.
fn pairs(choices: &[Choice], rng: &mut StdRng) -> Vec<Vec<usize>> {
    let mut open = BTreeSet::new();
    for (first, one) in choices.iter().enumerate() {
        for (second, other) in choices.iter().enumerate().skip(first + 1) {
            let both = (0..one.ways.len()).flat_map(|a| (0..other.ways.len()).map(move |b| (a, b)));
            open.extend(both.map(|(a, b)| ((first, a), (second, b))));
        }
    }
    let mut sets = Vec::new();
    while let Some(pair) = open.first().copied().filter(|_| sets.len() < MOST) {
        open.remove(&pair);
        let Some(mut set) = beginning_with(choices, pair) else { continue };
        let mut rest: Vec<usize> = (0..choices.len()).filter(|place| set.get(*place) == Some(&None)).collect();
        rest.shuffle(rng);
        for place in rest {
            let gain = |way: &usize| pairs_with(&set, (place, *way)).filter(|pair| open.contains(pair)).count();
            let ways = choices.get(place).map_or(0, |choice| choice.ways.len());
            let best = (0..ways).rev().max_by_key(gain);
            set.get_mut(place).into_iter().for_each(|one| *one = best);
        }
        let set: Vec<usize> = set.into_iter().map(Option::unwrap_or_default).collect();
        let there: Vec<Taken> =
            set.iter().copied().enumerate().filter(|(place, _)| is_there(choices, &set, *place)).collect();
        for (index, one) in there.iter().enumerate() {
            for other in there.iter().skip(index + 1) {
                open.remove(&(*one, *other));
            }
        }
        sets.push(set);
    }
    sets
}

/// A set with these two ways, and with what holds their places. None where one of the ways leaves no place for the other.
fn beginning_with(choices: &[Choice], pair: (Taken, Taken)) -> Option<Vec<Option<usize>>> {
    let mut set = vec![None; choices.len()];
    for (place, way) in [pair.0, pair.1] {
        *set.get_mut(place)? = Some(way);
    }
    for (place, _) in [pair.0, pair.1] {
        for above in above(choices, place) {
            let holds = |way: &usize| choices.get(above).is_some_and(|choice| choice.holds(*way));
            match set.get_mut(above)? {
                Some(way) if !holds(way) => return None,
                Some(_) => {}
                open => *open = Some((0..choices.get(above)?.ways.len()).find(holds)?),
            }
        }
    }
    Some(set)
}

/// The choices whose values hold the place of this one.
fn above(choices: &[Choice], place: usize) -> impl Iterator<Item = usize> {
    let below = choices.get(place).map_or("", |choice| choice.place.as_str());
    let holds =
        move |choice: &Choice| below.strip_prefix(choice.place.as_str()).is_some_and(|rest| rest.starts_with('/'));
    choices.iter().enumerate().filter(move |(_, choice)| holds(choice)).map(|(index, _)| index)
}

/// Whether the place of a choice is there, with these ways of all choices.
fn is_there(choices: &[Choice], set: &[usize], place: usize) -> bool {
    let holds = |index: usize| Some(choices.get(index)?.holds(*set.get(index)?));
    above(choices, place).all(|index| holds(index) == Some(true))
}

/// The pairs that a further way makes with those that are chosen.
fn pairs_with(set: &[Option<usize>], new: Taken) -> impl Iterator<Item = (Taken, Taken)> {
    let chosen = set.iter().enumerate().filter_map(|(place, way)| way.map(|way| (place, way)));
    chosen.map(move |old| if old.0 < new.0 { (old, new) } else { (new, old) })
}

/// The arguments with one way of each choice. A place that is not there, because what holds it was chosen away, stays away.
fn combined(full: &Value, choices: &[Choice], ways: &[usize]) -> Option<Value> {
    let mut arguments = full.clone();
    for (choice, way) in choices.iter().zip(ways) {
        if let Some(changed) = with(&arguments, &choice.place, choice.ways.get(*way)?.as_ref()) {
            arguments = changed;
        }
    }
    Some(arguments)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use serde_json::json;

    use super::*;

    fn all(schema: &Value) -> Vec<Value> {
        let (compiled, mut rng) = (Schema::new(schema).expect("a schema"), StdRng::seed_from_u64(1));
        let full = values(schema, schema, 0, &mut rng).first().and_then(Value::as_object).cloned().expect("an object");
        choosing(schema, &compiled, &full, &mut rng)
    }

    #[test]
    fn every_word_is_taken_and_every_two_choices_together() {
        let words: Vec<_> = (0..40).map(|n| format!("word-{n}")).collect();
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["mode"],
            "properties": {
                "mode": {"enum": words},
                "options": {"type": "object", "additionalProperties": false, "properties": {
                    "deep": {"type": "boolean"}, "order": {"enum": ["up", "down", "any"]},
                }},
                "when": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"day": {"enum": ["today", "ever"]}}}]},
                "limit": {"type": "integer", "minimum": 1, "maximum": 9},
            },
        });
        let all = all(&schema);
        let has = |wanted: &[(&str, Value)]| {
            all.iter().any(|one| wanted.iter().all(|(place, value)| one.pointer(place) == Some(value)))
        };
        for word in &words {
            assert!(has(&[("/mode", json!(word))]), "{word}");
        }
        for deep in [true, false] {
            for order in ["up", "down", "any"] {
                assert!(has(&[("/options/deep", json!(deep)), ("/options/order", json!(order))]), "{deep} {order}");
            }
            for limit in [1, 9] {
                assert!(has(&[("/options/deep", json!(deep)), ("/limit", json!(limit))]), "{deep} {limit}");
            }
        }
        assert!(has(&[("/when", json!(null)), ("/options/order", json!("any"))]));
        assert!(has(&[("/when/day", json!("ever"))]));
        assert!(all.iter().any(|one| one.get("limit").is_none() && one.pointer("/options/deep") == Some(&json!(true))));
        assert!(all.len() <= MOST, "{}", all.len());
    }

    #[test]
    fn a_schema_without_a_choice_gives_nothing_new() {
        assert!(all(&json!({"type": "object", "required": ["a"], "properties": {"a": {"const": 1}}})).len() <= 1);
    }
}
