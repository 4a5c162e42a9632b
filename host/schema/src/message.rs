//! Messages of faults, which quote the arguments. Making one takes no longer where the arguments are large.

use std::fmt::{self, Write};

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

/// Characters of a message.
const MAX_CHARS: usize = 300;

/// A fault's message.
pub(crate) fn message(error: &ValidationError<'_>) -> String {
    if let ValidationErrorKind::PropertyNames { error } = error.kind() {
        return message(error);
    }
    let (mut quoted, mut whole) = (Short::default(), Short::default());
    // Both fail where they are full.
    let _ = quoted.value(error.instance());
    let _ = write!(whole, "{}", error.masked_with(quoted.text));
    whole.text
}

/// The beginning of a value as JSON, with an ellipsis where there is more.
pub(crate) fn quoted(value: &Value, chars: usize) -> String {
    let mut short = Short { most: chars, ..Short::default() };
    if short.value(value).is_err() {
        short.text.push('…');
    }
    short.text
}

/// The beginning of a text. It fails what goes on to write to it.
struct Short {
    text: String,
    chars: usize,
    most: usize,
}

impl Default for Short {
    fn default() -> Self {
        Self { text: String::new(), chars: 0, most: MAX_CHARS }
    }
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.chars == self.most {
                return Err(fmt::Error);
            }
            self.chars += 1;
            self.text.push(character);
        }
        Ok(())
    }
}

impl Short {
    /// Writes a value as JSON. Its own way of writing itself would read a long text to the end first.
    fn value(&mut self, value: &Value) -> fmt::Result {
        match value {
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                self.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    self.write_str(if index > 0 { "," } else { "" })?;
                    self.value(item)?;
                }
                self.write_char(']')
            }
            Value::Object(fields) => {
                self.write_char('{')?;
                for (index, (name, field)) in fields.iter().enumerate() {
                    self.write_str(if index > 0 { "," } else { "" })?;
                    self.string(name)?;
                    self.write_char(':')?;
                    self.value(field)?;
                }
                self.write_char('}')
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => write!(self, "{value}"),
        }
    }

    fn string(&mut self, text: &str) -> fmt::Result {
        let start: String = text.chars().take(MAX_CHARS).collect();
        write!(self, "{}", Value::String(start))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Schema;

    fn of(schema: &Value, value: &Value) -> String {
        let faults = Schema::new(schema).expect("a schema").faults(value);
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].message.clone()
    }

    #[test]
    fn a_message_quotes_the_beginning_of_the_arguments_only() {
        let number = json!({"type": "number"});
        let value = json!({"a": [1, null, -0.5, true], "b\n\"": {"ü": [], "c": {}}});
        assert_eq!(of(&number, &value), format!("{value} is not of type \"number\""));
        for long in [
            json!("ü\"".repeat(1_000_000)),
            json!(vec![1; 50_000]),
            json!([["x".repeat(1_000_000)], "y".repeat(1_000_000)]),
            json!({("n".repeat(1_000_000)): 1}),
        ] {
            let whole: String = long.to_string().chars().take(MAX_CHARS).collect();
            assert_eq!(of(&number, &long), whole);
        }
        let names = json!({"propertyNames": {"maxLength": 2}});
        assert_eq!(of(&names, &json!({"abc": 1})), "\"abc\" is longer than 2 characters");
        assert_eq!(of(&names, &json!({("n".repeat(1_000_000)): 1})).chars().count(), MAX_CHARS);
    }

    #[test]
    fn what_is_full_ends_the_writing() {
        let mut short = Short::default();
        assert!(short.write_str(&"ü".repeat(MAX_CHARS)).is_ok());
        assert!(short.write_str("").is_ok() && short.write_char('x').is_err());
        assert_eq!(short.text, "ü".repeat(MAX_CHARS));
        assert!(Short::default().value(&json!(vec![0; 1_000])).is_err());
    }
}
