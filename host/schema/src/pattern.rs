//! The keyword `pattern` with a bound on how much text is matched. Matching takes linear time, but the author of the schema
//! chooses the factor: a kilobyte of pattern can cost a hundred microseconds for each byte of an argument.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use jsonschema::paths::Location;
use jsonschema::{Draft, Keyword, PatternOptions, ValidationError, Validator};
use regex_syntax::ast;
use serde_json::{Map, Value, json};

/// Bytes that a compiled pattern may take: some two thousand states.
pub(crate) const MAX_PATTERN: usize = 64 * 1024;
/// Bytes of a pattern's states that a thread keeps from one match to the next.
pub(crate) const MAX_CACHE: usize = 64 * 1024;
/// Bytes of a compiled pattern that counts as small. Patterns that describe a name, a date or an address are small.
const SMALL_PATTERN: usize = 4 * 1024;
/// How many bytes of the budget a byte takes that is matched with a pattern that is not small.
const LARGE_WEIGHT: usize = 16;
/// Bytes that are matched with small patterns in one check of arguments: at worst a second, usually a millisecond.
const BUDGET: usize = 512 * 1024;

thread_local! {
    /// What is left of the budget of the check that runs on this thread. A check never awaits, so a thread runs one at most.
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Begins the check of other arguments, with the whole budget.
pub(crate) fn begin_check() {
    LEFT.set(BUDGET);
}

/// Bytes of a text that is checked for being a pattern.
const MAX_TEXT: usize = 4 * 1024;
/// How many bytes of the budget a byte of such a text takes.
const COMPILE_WEIGHT: usize = 8;
/// What compiling costs however short the text is, as bytes of it.
const COMPILE_START: usize = 256;

/// Whether a text is a pattern. One that is too long or expands too far counts as none.
pub(crate) fn is_pattern(text: &str) -> bool {
    let left = LEFT.get().checked_sub((text.len() + COMPILE_START).saturating_mul(COMPILE_WEIGHT));
    LEFT.set(left.unwrap_or(0));
    let linear = PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_CACHE);
    let options = || jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(linear);
    text.len() <= MAX_TEXT && left.is_some() && options().build(&json!({ "pattern": text })).is_ok()
}

/// Whether a schema's pattern can be matched: the engine knows neither looking around nor references back, for which no linear time
/// can be promised, and bounds a pattern's size.
///
/// The answer is remembered: the schemas of tools are written for models in every turn, and a pattern takes up to a millisecond.
pub(crate) fn is_usable(pattern: &str) -> bool {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(pattern).copied();
    if let Some(known) = known {
        return known;
    }
    let is_usable = build(MAX_PATTERN, &json!(pattern)).is_ok();
    if pattern.len() <= MAX_KNOWN_BYTES {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(pattern.to_owned(), is_usable);
    }
    is_usable
}

/// What is wrong with a pattern that is not usable. Nothing where it only looks around, refers back or is too large.
pub(crate) fn mistake_in(pattern: &str) -> Option<String> {
    match regex_syntax::Parser::new().parse(pattern) {
        Err(regex_syntax::Error::Parse(error)) => match error.kind() {
            ast::ErrorKind::UnsupportedLookAround | ast::ErrorKind::UnsupportedBackreference => None,
            kind => Some(kind.to_string()),
        },
        Err(regex_syntax::Error::Translate(error)) => Some(error.kind().to_string()),
        _ => None,
    }
}

/// Patterns of which is known whether they can be used.
static KNOWN: LazyLock<Mutex<HashMap<String, bool>>> = LazyLock::new(Mutex::default);
/// How many are remembered.
const MAX_KNOWN: usize = 2_000;
/// Bytes of a pattern that is remembered.
const MAX_KNOWN_BYTES: usize = 1_024;

fn build(limit: usize, pattern: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(limit).dfa_size_limit(MAX_CACHE))
        .build(&json!({ "pattern": pattern }))
}

/// A pattern with the cost of matching a byte with it.
struct Pattern {
    text: String,
    validator: Validator,
    weight: usize,
}

/// Makes the keyword.
pub(crate) fn pattern<'a>(
    _parent: &'a Map<String, Value>,
    value: &'a Value,
    _path: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let (validator, weight) = match build(SMALL_PATTERN, value) {
        Ok(validator) => (validator, 1),
        Err(_) => {
            (build(MAX_PATTERN, value).map_err(|error| ValidationError::custom(error.to_string()))?, LARGE_WEIGHT)
        }
    };
    Ok(Box::new(Pattern { text: value.as_str().unwrap_or_default().to_owned(), validator, weight }))
}

impl Pattern {
    /// Takes the cost of matching this text from the budget; false where too little is left.
    fn pay(&self, instance: &Value) -> bool {
        let cost = instance.as_str().map_or(0, str::len).saturating_mul(self.weight);
        let left = LEFT.get().checked_sub(cost);
        LEFT.set(left.unwrap_or(0));
        left.is_some()
    }
}

impl<'i> Keyword<'i> for Pattern {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if !self.pay(instance) {
            return Err(ValidationError::custom(
                "the arguments have too much text that is matched with patterns; send less",
            ));
        }
        if self.validator.is_valid(instance) {
            return Ok(());
        }
        Err(ValidationError::custom(format!("does not match the pattern {:?}", self.text)))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.pay(instance) && self.validator.is_valid(instance)
    }
}
