//! The header `x-metadata`: what a client keeps with an object, as JSON in base64.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::error::StorageError;
use crate::object::user_metadata;

/// Padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The header as JSON. What is no JSON object is left out, as clients are used to; what the database cannot keep is refused.
pub(super) fn kept_metadata(headers: &HeaderMap) -> Result<Option<String>, StorageError> {
    let sent = headers.get("x-metadata").and_then(|value| BASE64.decode(value.as_bytes()).ok());
    let json = sent.and_then(|bytes| user_metadata(&bytes)).map(|fields| Value::Object(fields).to_string());
    check(json.as_deref())?;
    Ok(json)
}

/// Refuses JSON that Postgres cannot keep: a text with NUL, which is written so.
pub(super) fn check(json: Option<&str>) -> Result<(), StorageError> {
    if json.is_some_and(|json| json.contains("\\u0000")) {
        let message = "The metadata has characters that cannot be kept";
        return Err(StorageError::new(400, "InvalidRequest", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn metadata_is_json_in_base64_or_left_out() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-metadata", HeaderValue::from_static(text));
            kept_metadata(&headers)
        };
        for good in ["eyJhIjoxfQ==", "eyJhIjoxfQ"] {
            assert_eq!(read(good).expect("it is kept").as_deref(), Some(r#"{"a":1}"#));
        }
        for other in ["", "!", "WzFd", "bnVsbA=="] {
            assert_eq!(read(other).expect("it is left out"), None, "{other}");
        }
        assert!(read("eyJhIjoiXHUwMDAwIn0=").is_err(), "a text with NUL");
    }
}
