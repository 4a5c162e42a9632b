//! Values of JSON bodies as Supabase Storage reads them: numbers and truth values may be texts.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A whole number, or `None` where something else was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole(pub(super) Option<i64>);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let of_float = |number: f64| {
            // Larger ones are refused whatever they are.
            (number.fract() == 0.0 && number.abs() < 9e15).then(|| format!("{number:.0}").parse().ok()).flatten()
        };
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64().or_else(|| of_float(number.as_f64()?)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }))
    }
}

/// Reads a truth value; anything else counts as not sent.
pub(super) fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(value) => Some(value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Read {
        n: Option<Whole>,
        #[serde(default, deserialize_with = "truth")]
        b: Option<bool>,
    }

    #[test]
    fn texts_of_numbers_and_truth_values_are_read() {
        let read = |text: &str| {
            let Read { n, b } = serde_json::from_str(text).expect(text);
            (n.map(|Whole(n)| n), b)
        };
        assert_eq!(read(r#"{"n": 60, "b": true}"#), (Some(Some(60)), Some(true)));
        assert_eq!(read(r#"{"n": "60", "b": "false"}"#), (Some(Some(60)), Some(false)));
        assert_eq!(read(r#"{"n": 60.0}"#), (Some(Some(60)), None));
        for bad in [r#"{"n": 1e21}"#, r#"{"n": 1.5}"#, r#"{"n": "soon"}"#, r#"{"n": [1]}"#] {
            assert_eq!(read(bad).0, Some(None), "{bad}");
        }
        assert_eq!(read("{}"), (None, None));
    }
}
