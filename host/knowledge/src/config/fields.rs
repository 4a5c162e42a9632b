//! Members of a configuration, of the types that they must have. A member that is null counts as absent.

use serde_json::{Map, Value};

use super::ConfigError;

/// A text.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ConfigError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ConfigError::Invalid(format!("{name} must be a text"))),
    }
}

/// A whole number in these bounds.
pub(super) fn integer(
    object: &Map<String, Value>,
    name: &str,
    (least, most): (u64, u64),
) -> Result<Option<u64>, ConfigError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(ConfigError::Invalid(format!("{name} must be a whole number from {least} to {most}"))),
        },
    }
}

/// A part of one.
pub(super) fn part(object: &Map<String, Value>, name: &str) -> Result<Option<f64>, ConfigError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64().filter(|number| (0.0..=1.0).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(ConfigError::Invalid(format!("{name} must be a number from 0 to 1"))),
        },
    }
}
