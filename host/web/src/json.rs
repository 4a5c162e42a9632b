//! JSON bodies of requests and responses. Errors name the field that does not fit.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use behalf_problem::Kind;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ApiError;

/// A JSON body. As an extractor it refuses texts with a NUL character, because Postgres cannot store one.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// A JSON body that may contain NUL characters, for values that are passed on and not stored.
#[derive(Clone, Copy, Debug)]
pub struct AnyJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Self::from_bytes(&read(request, state).await?)
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Reads a body as the extractor does, whatever its content type is: for bodies that may be missing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ApiError> {
        if has_nul(bytes) {
            return Err(ApiError::bad_request("texts may not contain the NUL character"));
        }
        parse(bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for AnyJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        parse(&read(request, state).await?).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Reads a field that is present as `Some`, even if it is `null`. In a PATCH, an absent field then keeps its value.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    if !is_json(request.headers()) {
        return Err(ApiError::bad_request("send JSON with `Content-Type: application/json`"));
    }
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            ApiError::new(Kind::TooLarge, "the body is too large")
        } else {
            ApiError::bad_request(rejection.body_text())
        }
    })
}

/// `application/json`, or a type whose suffix says JSON, such as `application/problem+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Serde would read a struct from an array, field by field.
    let is_object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !is_object && serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        return Err(ApiError::bad_request("send a JSON object"));
    }
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    // Once more, to say where it does not fit. Keeping track of that costs more than reading does.
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.into_inner());
        ApiError::bad_request(if inner.is_data() {
            unfit(&path, &inner)
        } else {
            format!("the body is not JSON: {inner}")
        })
    })?;
    deserializer.end().map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// Describes a value that does not fit, such as `name must be a string`, instead of the parser's text.
fn unfit(path: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let expected = text.starts_with("invalid type").then(|| text.rsplit_once(", expected ")).flatten();
    match expected {
        Some((_, expected)) if path == "." && expected.starts_with("struct ") => "send a JSON object".to_owned(),
        Some((_, expected)) if path != "." => format!("{path} must be {}", with_article(expected)),
        _ if path == "." => text.to_owned(),
        _ => format!("{path}: {text}"),
    }
}

fn with_article(expected: &str) -> String {
    match expected {
        "a boolean" => "true or false".to_owned(),
        "a map" => "an object".to_owned(),
        "a sequence" => "an array".to_owned(),
        "i32" | "i64" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
        text if text.starts_with("struct ") => "an object".to_owned(),
        text if text.starts_with("a ") || text.starts_with("an ") => text.to_owned(),
        text => format!("a {text}"),
    }
}

/// Whether a text in the body contains NUL, which JSON writes as an escape.
fn has_nul(body: &[u8]) -> bool {
    const ESCAPE: &[u8] = b"\\u0000";
    if !body.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        return false;
    }
    // The escape may itself be escaped, which only parsing can tell.
    serde_json::from_slice(body).is_ok_and(|value| holds_nul(&value))
}

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
    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read for its errors")]
    struct Body {
        name: String,
        #[serde(default)]
        enabled: bool,
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read for its errors")]
    struct Inner {
        id: uuid::Uuid,
    }

    fn fault(body: &str) -> String {
        parse::<Body>(body.as_bytes()).expect_err(body).detail()
    }

    #[test]
    fn a_fault_names_its_field_and_what_belongs_there() {
        assert_eq!(fault(r#"{"name": 1}"#), "name must be a string");
        assert_eq!(fault(r#"{"name": "a", "enabled": "yes"}"#), "enabled must be true or false");
        assert_eq!(fault(r#"{"name": "a", "inner": {}}"#), "inner must be an array");
        assert!(
            fault(r#"{"name": "a", "inner": [{"id": "x"}]}"#).starts_with("inner[0].id: "),
            "{}",
            fault(r#"{"name": "a", "inner": [{"id": "x"}]}"#)
        );
        assert_eq!(fault("[]"), "send a JSON object");
        assert_eq!(fault("{}"), "missing field `name`");
        assert!(fault("{").starts_with("the body is not JSON"));
        assert!(fault(r#"{"name": "a"} {}"#).starts_with("the body is not JSON"));
    }

    #[test]
    fn nul_is_found_in_texts_and_names_and_nowhere_else() {
        assert!(has_nul(br#"{"a": [{"b\u0000": 1}]}"#) && has_nul(br#"["x\u0000"]"#));
        assert!(!has_nul(br#"{"a": "\\u0000"}"#) && !has_nul(b"{}"));
    }
}
