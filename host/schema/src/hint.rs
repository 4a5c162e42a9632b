//! The name or literal that somebody probably meant, within bounds: whoever wrote the value also chose how long it is.

use behalf_problem::nearest;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

/// Characters of names that are compared. Longer ones are no slips of known names.
const MAX_NAME: usize = 40;
/// Known names that one is compared with.
const MAX_KNOWN: usize = 100;
/// Names that are looked for in one value. Each takes a fraction of a millisecond at most.
const MAX_HINTS: usize = 4;
/// Known names that a message lists where none of them is near.
const MAX_LISTED: usize = 12;

/// Hints for the faults of one value.
#[derive(Debug)]
pub(crate) struct Hints<'a> {
    schema: &'a Value,
    left: usize,
}

impl<'a> Hints<'a> {
    /// For a value that was checked with this schema, whose references are replaced.
    pub(crate) fn new(schema: &'a Value) -> Self {
        Self { schema, left: MAX_HINTS }
    }

    /// The literal that a value was meant to be.
    pub(crate) fn of_literals(&mut self, value: &Value, literals: &[&Value]) -> Option<String> {
        let written = value.as_str()?;
        let meant = self.nearest(written, literals.iter().filter_map(|literal| literal.as_str()))?;
        Some(format!("; did you mean {}?", Value::from(meant)))
    }

    /// What helps where a property has a name that the schema does not know, or lacks.
    pub(crate) fn of_names(&mut self, error: &ValidationError<'_>) -> Option<String> {
        let given = error.instance().as_object()?;
        let keyword = format!("/{}", error.kind().keyword());
        let (at, _) = error.schema_path().as_str().rsplit_once(&keyword)?;
        let known = self.schema.pointer(at)?.get("properties").and_then(Value::as_object);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => self.of_unknown(given, known?, unexpected),
            ValidationErrorKind::Required { property } => {
                let (wanted, known) = (property.as_str()?, known?);
                let closed = self.schema.pointer(at)?.get("additionalProperties") == Some(&Value::Bool(false));
                if closed {
                    // The fault of the name that was written says so.
                    return None;
                }
                let others = given.keys().map(String::as_str).filter(|name| !known.contains_key(*name));
                let written = self.nearest(wanted, others)?;
                Some(format!("; was {} meant to be it?", Value::from(written)))
            }
            _ => None,
        }
    }

    fn of_unknown(
        &mut self,
        given: &Map<String, Value>,
        known: &Map<String, Value>,
        unexpected: &[String],
    ) -> Option<String> {
        let free = || known.keys().map(String::as_str).filter(|name| !given.contains_key(*name));
        let mut meant = Vec::new();
        for written in unexpected {
            if let Some(one) = self.nearest(written, free()) {
                meant.push(Value::from(one).to_string());
            }
        }
        if !meant.is_empty() {
            return Some(format!("; did you mean {}?", meant.join(", ")));
        }
        let listed: Vec<_> = known
            .keys()
            .filter(|name| name.len() <= MAX_NAME)
            .map(|name| Value::from(name.as_str()).to_string())
            .collect();
        let fits = !listed.is_empty() && listed.len() == known.len() && listed.len() <= MAX_LISTED;
        fits.then(|| format!("; it takes {}", listed.join(", ")))
    }

    fn nearest<'n>(&mut self, written: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        // A byte is at most a character, and counting bytes reads nothing.
        if written.len() > MAX_NAME || self.left == 0 {
            return None;
        }
        self.left -= 1;
        nearest(written, known.filter(|name| name.len() <= MAX_NAME).take(MAX_KNOWN))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Schema;

    #[test]
    fn a_name_that_is_a_slip_is_told_with_the_one_that_is_meant() {
        let schema = |closed: bool| {
            let schema = json!({"type": "object", "properties": {"period": {}, "max_results": {}, "word": {}},
                "required": ["period"], "additionalProperties": !closed});
            Schema::new(&schema).expect("a schema")
        };
        let told = |closed: bool, value| {
            let faults = schema(closed).faults(&value);
            faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>()
        };
        assert_eq!(
            told(true, json!({"period": 1, "maxResults": 5})),
            ["Additional properties are not allowed ('maxResults' was unexpected); did you mean \"max_results\"?"]
        );
        assert_eq!(
            told(true, json!({"period": 1, "colour": 5})),
            ["Additional properties are not allowed ('colour' was unexpected); it takes \"period\", \"max_results\", \
                 \"word\""]
        );
        assert_eq!(
            told(false, json!({"perod": 1})),
            ["\"period\" is a required property; was \"perod\" meant to be it?"]
        );
        assert_eq!(told(false, json!({"colour": 1})), ["\"period\" is a required property"]);
    }

    #[test]
    fn names_without_end_cost_nothing() {
        let names: serde_json::Map<_, _> =
            (0..1_000).map(|n| (format!("name_{n}_{}", "x".repeat(25)), json!({}))).collect();
        let schema = Schema::new(&json!({"properties": names, "additionalProperties": false})).expect("a schema");
        let value: serde_json::Map<_, _> = (0..20).map(|n| (format!("nam_{n}_{}", "x".repeat(25)), json!(1))).collect();
        let started = std::time::Instant::now();
        let faults = schema.faults(&json!(value));
        assert!(faults.len() == 1 && faults[0].message.matches("name_").count() <= 4, "{faults:?}");
        let long = schema.faults(&json!({("n".repeat(1_000_000)): 1}));
        assert!(long.len() == 1 && started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }
}
