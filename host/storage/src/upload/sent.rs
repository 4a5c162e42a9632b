//! What a request says of the bytes that it uploads.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Map, Value};

use super::facts::Facts;
use super::{invalid, robots as robots_rules};
use crate::error::StorageError;
use crate::object::user_metadata;

/// As lenient as clients are used to.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a request says of its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    /// What the host keeps.
    pub(super) facts: Facts,
    /// What the client keeps.
    pub(super) user_metadata: Option<Map<String, Value>>,
    /// The length of the request's body, for policies that look at it.
    pub(super) length: Option<u64>,
}

impl Sent {
    /// The client's own metadata as JSON, if it sent any.
    pub(super) fn user_metadata_json(&self) -> Option<String> {
        self.user_metadata.clone().map(|map| Value::Object(map).to_string())
    }

    /// Refuses what the database cannot keep.
    pub(super) fn check(self) -> Result<Self, StorageError> {
        let facts = &self.facts;
        let texts = [Some(&facts.mime_type), Some(&facts.cache_control), facts.robots.as_ref()];
        let has_control = texts.into_iter().flatten().any(|text| text.contains(|c: char| c.is_control()));
        if has_control || self.user_metadata.as_ref().is_some_and(|map| map.iter().any(has_nul)) {
            return Err(invalid("The metadata has characters that cannot be kept"));
        }
        Ok(self)
    }
}

/// Whether a member of an object has the character NUL in a text: Postgres keeps none.
fn has_nul((name, value): (&String, &Value)) -> bool {
    let in_value = |value: &Value| match value {
        Value::String(text) => text.contains('\0'),
        Value::Object(map) => map.iter().any(has_nul),
        Value::Array(items) => items.iter().any(|item| has_nul((&String::new(), item))),
        _ => false,
    };
    name.contains('\0') || in_value(value)
}

/// Whether the body is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    text(headers, CONTENT_TYPE.as_str()).is_some_and(|text| text.starts_with("multipart/form-data"))
}

/// The length that the request says its body has.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, CONTENT_LENGTH.as_str())?.parse().ok()
}

/// A header that is plain text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The header `x-robots-tag`, if it has rules that crawlers know.
pub(super) fn robots(headers: &HeaderMap) -> Result<Option<String>, StorageError> {
    let Some(value) = headers.get("x-robots-tag") else { return Ok(None) };
    let text = value.to_str().unwrap_or("\u{fffd}");
    let refused = |why: String| {
        StorageError::new(400, "InvalidRequest", format!("Invalid X-Robots-Tag header: {why}"))
            .named("invalid_x_robots_tag")
    };
    match text {
        "" => Ok(None),
        text => robots_rules::check(text).map(|()| Some(text.to_owned())).map_err(refused),
    }
}

/// The header `x-metadata`: JSON in base64. What is neither is ignored, as clients are used to.
pub(super) fn header_metadata(headers: &HeaderMap) -> Option<Map<String, Value>> {
    let plain: String = text(headers, "x-metadata")?
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    user_metadata(&BASE64.decode(plain).ok()?)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_is_json_in_any_base64_or_ignored() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-metadata", HeaderValue::from_static(text));
            header_metadata(&headers).map(Value::Object)
        };
        assert_eq!(read("eyJhIjoxfQ=="), Some(json!({"a": 1})));
        assert_eq!(read("eyJhIjoxfQ"), Some(json!({"a": 1})));
        assert_eq!(read("eyJhIjoi8J-YgCJ9"), Some(json!({"a": "😀"})));
        for ignored in ["", "!", "eyJh", "WzFd", "bnVsbA=="] {
            assert_eq!(read(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn texts_that_the_database_cannot_keep_are_refused() {
        let sent = |mime_type: &str, metadata: Value| Sent {
            facts: Facts { mime_type: mime_type.to_owned(), cache_control: "no-cache".to_owned(), robots: None },
            user_metadata: metadata.as_object().cloned(),
            length: None,
        };
        assert!(sent("a/b", json!({"a": ["b", {"c": "d"}]})).check().is_ok());
        assert!(sent("a/b\r\nx: y", json!({})).check().is_err());
        for metadata in [json!({"a": "\0"}), json!({"\0": 1}), json!({"a": [{"b": ["\0"]}]})] {
            assert!(sent("a/b", metadata.clone()).check().is_err(), "{metadata}");
        }
    }
}
