//! The faults of a value, as whoever wrote the value can use them: what is wrong at which place, with what is allowed there and the
//! name that was probably meant. Where a schema has alternatives (`anyOf`, `oneOf`), they are the faults of the one that was meant; that
//! none of them fits tells a model nothing.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::Location;
use serde_json::Value;

use crate::Fault;
use crate::expected::Expected;
use crate::hint::Hints;
use crate::message::message;

/// Faults that are reported for one object; a longer list would not help its reader.
const MAX_FAULTS: usize = 20;
/// Places at which it is tried whether every alternative refuses the value there.
const MAX_PLACES: usize = 20;
/// How a fault begins to say that other alternatives are there.
const OF_SEVERAL: &str = " (in the alternative that fits best";

/// An alternative, as what a value lacks to fit it.
type Alternative = [ValidationError<'static>];

/// The faults that were found so far.
#[derive(Debug)]
pub(crate) struct Faults<'a> {
    hints: Hints<'a>,
    found: Vec<Fault>,
}

impl<'a> Faults<'a> {
    /// None so far, of a value that was checked with this schema.
    pub(crate) fn new(schema: &'a Value) -> Self {
        Self { hints: Hints::new(schema), found: Vec::new() }
    }

    /// The faults, each once.
    pub(crate) fn found(self) -> Vec<Fault> {
        self.found
    }

    /// Adds what the validator found, unless there are enough faults.
    pub(crate) fn add(&mut self, error: &ValidationError<'_>) {
        if self.found.len() >= MAX_FAULTS {
            return;
        }
        match error.kind() {
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.add_alternatives(error, context);
            }
            ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => {
                let mut expected = Expected::default();
                expected.add(error);
                let message = expected.message(error.instance(), &mut self.hints);
                self.push(error.instance_path(), message);
            }
            _ => {
                let hint = self.hints.of_names(error).unwrap_or_default();
                self.push(error.instance_path(), message(error) + &hint);
            }
        }
    }

    /// Adds a fault. A schema that says the same thing several times, as one with references may, finds it several times.
    fn push(&mut self, place: &Location, message: String) {
        let fault = Fault { pointer: place.to_string(), message };
        if self.found.len() < MAX_FAULTS && !self.found.contains(&fault) {
            self.found.push(fault);
        }
    }

    fn add_alternatives(&mut self, error: &ValidationError<'_>, context: &[Vec<ValidationError<'static>>]) {
        let (value, place) = (error.instance(), error.instance_path());
        let mut alternatives: Vec<&Alternative> = Vec::new();
        flatten(context, place, &mut alternatives);
        let takes_more = |one: &&Alternative| !takes_null_alone(one, place);
        if !value.is_null() && alternatives.iter().any(takes_more) {
            // What may be left out is written as "this or null"; nobody meant null who wrote something else.
            alternatives.retain(takes_more);
        }
        if let [only] = alternatives.as_slice() {
            return only.iter().for_each(|error| self.add(error));
        }
        if let Some((place, value, expected)) = refused_by_all(&alternatives, place) {
            let message = expected.message(value, &mut self.hints);
            return self.push(place, message);
        }
        let Some((distance, best)) =
            alternatives.iter().map(|one| (Distance::of(one, place), one)).min_by_key(|one| one.0)
        else {
            return self.push(place, message(error));
        };
        let others = alternatives.iter().filter(|one| Distance::of(one, place).is_as_good_as(distance)).count() - 1;
        let from = self.found.len();
        best.iter().for_each(|error| self.add(error));
        if others > 0 {
            for fault in self.found[from..].iter_mut().filter(|fault| !fault.message.contains(OF_SEVERAL)) {
                let note = if others == 1 { "there is another one" } else { "there are others" };
                fault.message.push_str(&format!("{OF_SEVERAL}; {note})"));
            }
        }
    }
}

/// The alternatives, with those of an alternative that is nothing but a choice in its place.
fn flatten<'e>(context: &'e [Vec<ValidationError<'static>>], place: &Location, into: &mut Vec<&'e Alternative>) {
    for alternative in context {
        if let [only] = alternative.as_slice()
            && let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } = only.kind()
            && only.instance_path().as_str() == place.as_str()
        {
            flatten(context, place, into);
        } else {
            into.push(alternative);
        }
    }
}

/// Whether an alternative that does not fit wanted null and nothing else.
fn takes_null_alone(alternative: &Alternative, place: &Location) -> bool {
    let is_null = |error: &ValidationError<'_>| match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(one) } => one.as_str() == "null",
        ValidationErrorKind::Constant { expected_value } => expected_value.is_null(),
        ValidationErrorKind::Enum { options } => {
            options.as_array().is_some_and(|options| options.iter().all(Value::is_null))
        }
        _ => false,
    };
    alternative.iter().any(|error| error.instance_path().as_str() == place.as_str() && is_null(error))
}

/// Whether a fault says by itself which values a place takes.
fn says_what_is_taken(error: &ValidationError<'_>) -> bool {
    matches!(
        error.kind(),
        ValidationErrorKind::Type { .. } | ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. }
    )
}

/// The place that every alternative refuses for its type or value, and what all of them together take there: a text that is none of
/// several literals, or an object whose `kind` is none of those that are known.
fn refused_by_all<'e>(
    alternatives: &[&'e Alternative],
    own: &Location,
) -> Option<(&'e Location, &'e Value, Expected<'e>)> {
    let (first, others) = alternatives.split_first()?;
    let mut places: Vec<_> = first.iter().filter(|error| says_what_is_taken(error)).take(MAX_PLACES).collect();
    places.sort_by_key(|error| error.instance_path().as_str() != own.as_str());
    let refuses = |alternative: &Alternative, place: &str| {
        alternative.iter().any(|error| error.instance_path().as_str() == place && says_what_is_taken(error))
    };
    let found = places.into_iter().find(|error| {
        let place = error.instance_path().as_str();
        others.iter().all(|alternative| refuses(alternative, place))
    })?;
    let mut expected = Expected::default();
    for alternative in alternatives {
        let here = |error: &&'e ValidationError<'static>| {
            error.instance_path().as_str() == found.instance_path().as_str() && says_what_is_taken(error)
        };
        expected.add_alternative(alternative.iter().filter(here));
    }
    Some((found.instance_path(), found.instance().as_ref(), expected))
}

/// How far a value is from fitting an alternative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Distance {
    /// Whether the value itself is of another type or none of the literals.
    is_other_kind: bool,
    /// Properties of it that have another value than the alternative gives them: it may be the `kind` that tells them apart.
    other_literals: usize,
    faults: usize,
}

impl Distance {
    fn of(alternative: &Alternative, place: &Location) -> Self {
        let depth = depth(place);
        let is_literal = |error: &&ValidationError<'static>| {
            matches!(error.kind(), ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. })
                && self::depth(error.instance_path()) == depth + 1
        };
        Self {
            is_other_kind: alternative
                .iter()
                .any(|error| says_what_is_taken(error) && error.instance_path().as_str() == place.as_str()),
            other_literals: alternative.iter().filter(is_literal).count(),
            faults: alternative.len(),
        }
    }

    /// Whether nothing but the number of faults tells it from the best one.
    fn is_as_good_as(self, best: Self) -> bool {
        (self.is_other_kind, self.other_literals) == (best.is_other_kind, best.other_literals)
    }
}

/// Steps from the whole value to a place in it.
fn depth(place: &Location) -> usize {
    place.as_str().bytes().filter(|byte| *byte == b'/').count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Schema;

    fn told(schema: &serde_json::Value, value: &serde_json::Value) -> Vec<String> {
        let faults = Schema::new(schema).expect("a schema").faults(value);
        let mut told: Vec<_> =
            faults.into_iter().map(|fault| format!("{}: {}", fault.pointer, fault.message)).collect();
        told.sort();
        told
    }

    #[test]
    fn what_may_be_null_tells_what_is_wrong_with_the_rest() {
        // pydantic: `filter: Filter | None`.
        let schema = json!({"properties": {"filter": {"anyOf": [{"$ref": "#/$defs/Filter"}, {"type": "null"}]}},
            "$defs": {"Filter": {"type": "object", "required": ["period"], "additionalProperties": false,
                "properties": {"period": {"enum": ["day", "week", "month"]}, "limit": {"type": "integer"}}}}});
        assert_eq!(
            told(&schema, &json!({"filter": {"period": "weak", "limit": "5"}})),
            [
                "/filter/limit: \"5\" is not of type \"integer\"",
                "/filter/period: \"weak\" is not one of \"day\", \"week\" or \"month\"; did you mean \"week\"?",
            ]
        );
        assert_eq!(
            told(&schema, &json!({"filter": {"perod": "week"}})),
            [
                "/filter: \"period\" is a required property",
                "/filter: Additional properties are not allowed ('perod' was unexpected); did you mean \"period\"?",
            ]
        );
        assert_eq!(told(&schema, &json!({"filter": 5})), ["/filter: 5 is not of type \"object\""]);
        assert!(told(&schema, &json!({"filter": null})).is_empty());
    }

    #[test]
    fn literals_of_all_alternatives_are_told_together() {
        // zod: `z.union([z.literal("a"), …])`; schemars: variants with comments; and a number beside them.
        let literals =
            json!({"oneOf": [{"const": "newest"}, {"const": "oldest"}, {"enum": ["title"], "type": "string"}]});
        assert_eq!(
            told(&literals, &json!("newst")),
            [": \"newst\" is not one of \"newest\", \"oldest\" or \"title\"; did you mean \"newest\"?"]
        );
        let mixed = json!({"anyOf": [literals, {"type": ["integer", "boolean"]}, {"type": "null"}]});
        assert_eq!(
            told(&mixed, &json!("date")),
            [": \"date\" is not one of \"newest\", \"oldest\" or \"title\", and not of types \"boolean\", \"integer\""]
        );
        let types = json!({"anyOf": [{"type": "string"}, {"type": "integer"}]});
        assert_eq!(told(&types, &json!(true)), [": true is not of types \"string\", \"integer\""]);
        assert_eq!(told(&types, &json!(null)), [": null is not of types \"string\", \"integer\""]);
    }

    #[test]
    fn the_alternative_that_was_meant_is_told() {
        let kinds = json!({"oneOf": [
            {"type": "object", "required": ["kind", "word"], "properties": {"kind": {"const": "by_word"}, "word": {"type": "string"}}},
            {"type": "object", "required": ["kind", "from", "to"],
                "properties": {"kind": {"const": "by_date"}, "from": {"type": "string"}, "to": {"type": "string"}}},
            {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "all"}}}]});
        assert_eq!(told(&kinds, &json!({"kind": "by_date", "from": "x"})), [": \"to\" is a required property"]);
        assert_eq!(
            told(&kinds, &json!({"kind": "by-dates"})),
            ["/kind: \"by-dates\" is not one of \"by_word\", \"by_date\" or \"all\"; did you mean \"by_date\"?"]
        );
        // Nothing but the number of faults tells these apart.
        let forms = json!({"anyOf": [
            {"type": "object", "required": ["id"]}, {"type": "object", "required": ["name", "city"]}, {"type": "string"}]});
        assert_eq!(
            told(&forms, &json!({"name": "x"})),
            [": \"id\" is a required property (in the alternative that fits best; there is another one)"]
        );
    }

    #[test]
    fn choices_within_choices_are_told_once() {
        let inner = json!({"anyOf": [{"type": "null"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}]});
        let schema = json!({"properties": {"a": {"anyOf": [inner, {"items": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "type": "array"}]}}});
        assert_eq!(told(&schema, &json!({"a": ["x", 1, null]})), ["/a/0: \"x\" is not of type \"number\""]);
        assert_eq!(told(&schema, &json!({"a": {}})), ["/a: {} is not of types \"string\", \"array\""]);
    }

    #[test]
    fn a_choice_of_a_thousand_is_told_in_a_line() {
        let words: Vec<_> = (0..1_000).map(|n| json!({"const": format!("word-{n}-{}", "x".repeat(200))})).collect();
        let faults = told(&json!({"oneOf": words}), &json!("y".repeat(1_000)));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].chars().count() < 700 && faults[0].contains("more"), "{faults:?}");
    }
}
