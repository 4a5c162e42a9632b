//! A schema in the form that checks values, with what a check may cost.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::faults::Faults;
use crate::inline::{Inlined, inline};
use crate::message::message;
use crate::pattern::{MAX_CACHE, MAX_PATTERN, begin_check, is_pattern, pattern};
use crate::unique::unique_items;
use crate::{Fault, SchemaError, Unchecked};

/// Faults that are looked at to find different ones.
const MAX_READ_FAULTS: usize = 500;
/// Values of a schema times values of the arguments. Each takes some tens of nanoseconds, so a check takes a second at most.
const MAX_CHECKS: usize = 20_000_000;
/// The same for a check that says where the faults are: the validator keeps every fault of every alternative in memory.
const MAX_EXPLAINED: usize = 250_000;
/// The same for a check that is made on the thread that asks for it.
const MAX_QUICK: usize = 10_000;
/// Bytes of property names times patterns that they are matched with.
const MAX_NAME_BYTES: usize = 64 * 1024;
/// Bytes of texts times keywords that read a text to its end.
const MAX_TEXT_BYTES: usize = 512 * 1024 * 1024;
/// Bytes of texts times values of a schema, for a check that says where the faults are: the validator copies what it has a fault
/// in, once for each alternative.
const MAX_COPIES: usize = 256 * 1024 * 1024;
/// The same for a check that is made on the thread that asks for it.
const MAX_QUICK_COPIES: usize = 4 * 1024 * 1024;

/// A schema that is ready to check values.
#[derive(Debug)]
pub(crate) struct Prepared {
    validator: Validator,
    /// What the validator was made of, for names in messages.
    schema: Value,
    /// Values in it, with every reference replaced.
    size: usize,
    /// Patterns that names of properties are matched with.
    name_patterns: usize,
    /// Patterns that texts are matched with, and texts that must be patterns.
    patterns: usize,
    /// Keywords that read a text to its end.
    texts: usize,
    /// What of the schema is not checked.
    unchecked: Vec<Unchecked>,
}

impl Prepared {
    /// Makes the validator. The work is bounded, but may take a second.
    pub(crate) fn new(schema: &Value) -> Result<Self, SchemaError> {
        let Inlined { schema, size, name_patterns, patterns, texts, unchecked } = inline(schema)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_CACHE))
            .with_keyword("pattern", pattern)
            .with_keyword("uniqueItems", unique_items)
            .with_format("regex", is_pattern)
            .should_validate_formats(true)
            .build(&schema)
            .map_err(|error| SchemaError::Invalid(message(&error)))?;
        Ok(Self { validator, schema, size, name_patterns, patterns, texts, unchecked })
    }

    /// What of the schema is not checked.
    pub(crate) fn unchecked(&self) -> &[Unchecked] {
        &self.unchecked
    }

    /// Values in it, with every reference replaced.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Everything in a value that does not fit the schema.
    pub(crate) fn faults(&self, value: &Value) -> Vec<Fault> {
        let whole = |message: String| vec![Fault { pointer: String::new(), message }];
        let amount = Amount::of(value);
        if let Some(message) = self.too_much(amount) {
            return whole(message);
        }
        begin_check();
        let copies = amount.bytes().saturating_mul(self.size);
        if amount.values.saturating_mul(self.size) > MAX_EXPLAINED || copies > MAX_COPIES {
            // Without a list of faults, the check needs no memory.
            if self.validator.is_valid(value) {
                return Vec::new();
            }
            return whole("the arguments do not fit the schema, and are too many to say where; send less".to_owned());
        }
        let mut faults = Faults::new(&self.schema);
        self.validator.iter_errors(value).take(MAX_READ_FAULTS).for_each(|error| faults.add(&error));
        faults.found()
    }

    /// Whether a value fits the schema.
    pub(crate) fn fits(&self, value: &Value) -> bool {
        if self.too_much(Amount::of(value)).is_some() {
            return false;
        }
        begin_check();
        self.validator.is_valid(value)
    }

    /// Whether checking a value takes well under a millisecond.
    pub(crate) fn is_quick(&self, value: &Value) -> bool {
        let amount = Amount::of(value);
        let reads = amount.bytes().saturating_mul(self.texts);
        self.patterns + self.name_patterns == 0
            && amount.values.saturating_mul(self.size).saturating_add(reads) <= MAX_QUICK
            && amount.bytes().saturating_mul(self.size) <= MAX_QUICK_COPIES
    }

    /// Why checking a value would take too long.
    fn too_much(&self, amount: Amount) -> Option<String> {
        let Amount { values, name_bytes, text_bytes } = amount;
        if values.saturating_mul(self.size) > MAX_CHECKS {
            let most = MAX_CHECKS / self.size.max(1);
            return Some(format!("{values} values are too many for this schema; send {most} at most"));
        }
        if name_bytes.saturating_mul(self.name_patterns) > MAX_NAME_BYTES {
            return Some(format!("{name_bytes} bytes of names are too many for this schema's patternProperties"));
        }
        if amount.bytes().saturating_mul(self.texts) > MAX_TEXT_BYTES {
            let most = MAX_TEXT_BYTES / self.texts.max(1);
            return Some(format!("{text_bytes} bytes of text are too many for this schema; send {most} at most"));
        }
        None
    }
}

/// How much there is to check in a value.
#[derive(Clone, Copy, Default)]
struct Amount {
    values: usize,
    name_bytes: usize,
    text_bytes: usize,
}

impl Amount {
    fn of(value: &Value) -> Self {
        let mut amount = Self::default();
        amount.add(value);
        amount
    }

    fn bytes(self) -> usize {
        self.name_bytes + self.text_bytes
    }

    fn add(&mut self, value: &Value) {
        self.values += 1;
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| {
                self.name_bytes += name.len();
                self.add(field);
            }),
            Value::String(text) => self.text_bytes += text.len(),
            _ => {}
        }
    }
}
