//! Classifies failures of requests. The errors repeat nothing that an endpoint sent but an error code.

use std::{error::Error as _, time::Duration};

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

use crate::{ModelError, error::Cause};

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ModelError,
    /// The wait that the endpoint asks for.
    pub(super) wait: Option<Duration>,
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self { error, wait: None }
    }
}

/// Longest text that counts as an error code.
const MAX_CODE_BYTES: usize = 48;

/// The codes and phrases with which endpoints report that a conversation does not fit.
const TOO_LONG: [&str; 8] = [
    "context_length_exceeded",
    "maximum context length",
    "context window",
    "prompt is too long",
    "too many tokens",
    "maximum number of tokens",
    "exceeds the available context size",
    "input is too long",
];

/// Classifies a failed connection.
pub(super) fn transport(error: &reqwest::Error) -> ModelError {
    if error.is_builder() {
        return ModelError::Misconfigured("the endpoint's address or key cannot be sent");
    }
    if error.is_timeout() && !error.is_connect() {
        return ModelError::Timeout;
    }
    // The error's own text contains the URL; the innermost cause does not.
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let doing = if error.is_connect() { "connecting" } else { "reading" };
    let what = if error.source().is_some() { innermost.to_string() } else { "it failed".to_owned() };
    ModelError::Unavailable(Cause::new(format!("{doing}: {what}")))
}

/// Classifies an answer with an error status.
pub(super) fn answered(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let wait = asked_wait(headers);
    Failure { error: by_status(status, &Said::of(&body), wait), wait }
}

fn by_status(status: StatusCode, said: &Said, retry_after: Option<Duration>) -> ModelError {
    match status.as_u16() {
        401 | 403 => ModelError::Unauthorised,
        402 => ModelError::Misconfigured("the provider's account has no credit left"),
        404 => ModelError::Misconfigured("the endpoint knows no such model or address"),
        408 => ModelError::Timeout,
        413 => ModelError::ContextTooLong,
        429 if said.has("insufficient_quota") => ModelError::Misconfigured("the provider's account has no quota left"),
        429 => ModelError::RateLimited { retry_after },
        425 | 500.. => ModelError::Unavailable(Cause::new(format!("status {}", status.as_u16()))),
        300..=399 => ModelError::Misconfigured("the endpoint redirects elsewhere"),
        _ if TOO_LONG.iter().any(|phrase| said.has(phrase)) => ModelError::ContextTooLong,
        _ => ModelError::BadRequest { code: said.code() },
    }
}

/// Classifies an error that the endpoint reported within an answer.
pub(super) fn reported(body: &Value) -> ModelError {
    let said = Said::of(body);
    let number = said.numbers.iter().find_map(|number| StatusCode::from_u16(u16::try_from(*number).ok()?).ok());
    if let Some(status) = number.filter(StatusCode::is_client_error) {
        return by_status(status, &said, None);
    }
    if TOO_LONG.iter().any(|phrase| said.has(phrase)) {
        ModelError::ContextTooLong
    } else if said.has("rate_limit") {
        ModelError::RateLimited { retry_after: None }
    } else if said.has("invalid_request") {
        ModelError::BadRequest { code: said.code() }
    } else {
        ModelError::Unavailable(Cause::new("it reported an error in the answer".to_owned()))
    }
}

/// The texts and numbers of an error body, read to classify it. Only an error code is kept.
struct Said {
    texts: Vec<String>,
    codes: Vec<String>,
    numbers: Vec<u64>,
}

impl Said {
    /// Bodies are `{"error": {"message", "type", "code", "param"}}`, or the inner object, or a string.
    fn of(body: &Value) -> Self {
        let error = body.get("error").unwrap_or(body);
        let texts_at = |keys: &[&str]| -> Vec<String> {
            keys.iter().filter_map(|key| error.get(*key)?.as_str()).map(str::to_lowercase).collect()
        };
        let codes = texts_at(&["code", "type", "status", "param"]);
        let mut texts = texts_at(&["message"]);
        texts.extend(error.as_str().map(str::to_lowercase));
        let numbers = ["code", "status"].iter().filter_map(|key| error.get(*key)?.as_u64()).collect();
        Self { texts, codes, numbers }
    }

    fn has(&self, phrase: &str) -> bool {
        self.texts.iter().chain(&self.codes).any(|text| text.contains(phrase))
    }

    /// The error code, if there is one. Keys and prose contain other characters, so they never count as one.
    fn code(&self) -> Option<String> {
        let is_code = |code: &&String| {
            code.len() <= MAX_CODE_BYTES
                && code.contains(|c: char| c.is_ascii_lowercase())
                && code.chars().all(|c| c.is_ascii_lowercase() || "_.[]".contains(c))
        };
        self.codes.iter().find(is_code).cloned()
    }
}

/// Reads `retry-after-ms`, or `retry-after` in seconds. A date is ignored, and the host's own wait is used.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1_000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(status: u16, body: &Value) -> ModelError {
        let status = StatusCode::from_u16(status).expect("a status");
        answered(status, &HeaderMap::new(), body.to_string().as_bytes()).error
    }

    #[test]
    fn statuses_become_what_a_caller_can_act_on() {
        let none = json!({});
        assert_eq!(status(401, &none), ModelError::Unauthorised);
        assert_eq!(status(429, &none), ModelError::RateLimited { retry_after: None });
        assert!(matches!(status(503, &none), ModelError::Unavailable(_)));
        assert!(matches!(status(404, &none), ModelError::Misconfigured(_)));
        assert!(matches!(status(302, &none), ModelError::Misconfigured(_)));
        let quota = json!({"error": {"code": "insufficient_quota"}});
        assert!(!status(429, &quota).retryable());
        let long = json!({"error": {"message": "This model's maximum context length is 8192 tokens"}});
        assert_eq!(status(400, &long), ModelError::ContextTooLong);
    }

    #[test]
    fn nothing_an_endpoint_wrote_comes_through_but_a_code_word() {
        let code = |body: Value| match status(400, &body) {
            ModelError::BadRequest { code } => code,
            other => Some(format!("{other:?}")),
        };
        let body = json!({"error": {"message": "your key sk-1 said hello", "code": "unsupported_value"}});
        assert_eq!(code(body).as_deref(), Some("unsupported_value"));
        assert_eq!(code(json!({"error": {"code": "sk-proj-0123456789", "type": "<b>"}})), None);
        assert_eq!(code(json!({"error": {"code": "a".repeat(49)}})), None);
        assert_eq!(code(json!({"error": 7})), None);
    }

    #[test]
    fn errors_within_an_answer_are_told_apart() {
        assert_eq!(reported(&json!({"code": 429})), ModelError::RateLimited { retry_after: None });
        assert!(reported(&json!({"type": "server_error"})).retryable());
        assert!(reported(&json!({"code": 502})).retryable());
        assert!(!reported(&json!({"type": "invalid_request_error"})).retryable());
        assert!(reported(&json!(null)).retryable());
    }

    #[test]
    fn waits_are_read_in_both_forms() {
        let wait = |name: &'static str, value: &'static str| {
            asked_wait(&HeaderMap::from_iter([(name.parse().expect("a name"), value.parse().expect("a value"))]))
        };
        assert_eq!(wait("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(wait("retry-after-ms", "40"), Some(Duration::from_millis(40)));
        for value in ["-1", "NaN", "inf", "1e300", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(wait("retry-after", value), None, "{value}");
        }
    }
}
