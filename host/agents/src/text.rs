//! Cuts texts, and makes texts and JSON storable in Postgres.

use serde_json::{Map, Value};

/// The text's first characters.
pub(crate) fn cut_chars(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// The text's first bytes, at a border between characters.
pub(crate) fn cut_bytes(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// The same JSON as Postgres can hold it: a NUL becomes the replacement character.
pub(crate) fn storable(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable_text(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(storable).collect()),
        Value::Object(fields) => {
            let fields: Map<_, _> =
                fields.into_iter().map(|(name, value)| (storable_text(name), storable(value))).collect();
            Value::Object(fields)
        }
        other => other,
    }
}

/// The same text without NUL.
pub(crate) fn storable_text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!((cut_bytes("aä", 2), cut_bytes("aä", 3), cut_bytes("", 3)), ("a", "aä", ""));
        assert_eq!(cut_chars("äbc", 2), "äb");
    }

    #[test]
    fn what_postgres_cannot_hold_is_replaced() {
        assert_eq!(storable(json!({ "a\0": ["b\0", 1] })), json!({ "a\u{fffd}": ["b\u{fffd}", 1] }));
    }
}
