//! What an app keeps with a source, and what the host keeps there beside it.

use serde_json::{Map, Value};

/// Bytes of an app's metadata of one source, as JSON.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// Where a fetched source comes from.
pub(crate) const SOURCE_URL: &str = "source_url";
/// Which object of the app's a source was copied from.
pub(crate) const SOURCE_OBJECT: &str = "source_object";
/// The model that a client asked to read the document with. It is kept and changes nothing: this host has one way to read each format.
pub(crate) const EXTRACTION_MODEL: &str = "extraction_model";

/// What the host writes and apps do not.
pub(crate) const RESERVED: [&str; 3] = [SOURCE_URL, SOURCE_OBJECT, EXTRACTION_MODEL];

/// Why metadata are not taken: one sentence for the client.
pub(crate) type Refused = &'static str;

/// Metadata as a form sends them: the text of a JSON object.
pub(crate) fn of_text(text: &str) -> Result<Map<String, Value>, Refused> {
    if text.len() > MAX_BYTES {
        return Err(TOO_LARGE);
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => checked(fields),
        Ok(Value::Null) => Ok(Map::new()),
        _ if text.trim().is_empty() => Ok(Map::new()),
        _ => Err("metadata must be a JSON object"),
    }
}

/// Metadata without what the host keeps there itself.
pub(crate) fn checked(mut fields: Map<String, Value>) -> Result<Map<String, Value>, Refused> {
    for name in RESERVED {
        fields.remove(name);
    }
    let value = Value::Object(fields);
    if value.to_string().len() > MAX_BYTES {
        return Err(TOO_LARGE);
    }
    if holds_nul(&value) {
        return Err("texts may not contain the NUL character");
    }
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

const TOO_LARGE: Refused = "metadata may have at most 65536 bytes as JSON";

/// Postgres stores no NUL.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_are_an_object_without_what_is_the_hosts() {
        let read = |text: &str| of_text(text).map(Value::Object);
        assert_eq!(read(r#"{"a": [1], "source_url": "x", "extraction_model": "y"}"#), Ok(json!({"a": [1]})));
        assert_eq!((read(""), read("null"), read(" ")), (Ok(json!({})), Ok(json!({})), Ok(json!({}))));
        for refused in ["[]", "1", "{", "\"a\"", "{\"a\": \"\\u0000\"}", "{\"\\u0000\": 1}"] {
            assert!(read(refused).is_err(), "{refused}");
        }
        assert!(read(&json!({"a": "x".repeat(MAX_BYTES)}).to_string()).is_err());
        assert!(read(&format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000))).is_err());
    }
}
