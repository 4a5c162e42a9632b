//! Classifies failures of requests. The errors repeat nothing that an endpoint sent but an error code; its own words are kept beside
//! them, for the operator.

use std::{error::Error as _, time::Duration};

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

use super::said::Said;
use crate::{ModelError, error::Cause};

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ModelError,
    /// The wait that the endpoint asks for.
    pub(super) wait: Option<Duration>,
    /// What the endpoint says of it.
    pub(super) said: Box<Said>,
    /// Whether the endpoint refused the request as it was sent.
    pub(super) is_refusal: bool,
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self { error, wait: None, said: Box::default(), is_refusal: false }
    }
}

/// The codes and phrases with which endpoints report that a conversation does not fit.
const TOO_LONG: [&str; 26] = [
    "context_length_exceeded",
    "exceed_context_size",
    "maximum context length",
    "context window",
    "context length",
    "context limit",
    "context size has been exceeded",
    "available context size",
    "prompt is too long",
    "prompt too long",
    "prompt exceeds",
    "too many tokens",
    "maximum number of tokens",
    "maximum prompt length",
    "input is too long",
    "input token count",
    "input tokens exceed",
    "range of input length",
    "exceeds the model's max",
    "longer than the model",
    "reduce the length",
    "reduce your message size",
    "request too large",
    "string_above_max_length",
    "`inputs` tokens + `max_new_tokens`",
    "`inputs` must have less than",
];
/// The phrases with which endpoints refuse a key under another status than 401.
const KEY: [&str; 5] =
    ["api key not valid", "invalid api key", "invalid_api_key", "incorrect api key", "authentication_error"];
/// The code of servers that cannot read the call that their model wrote. The model may write a better one.
const BAD_CALL: [&str; 2] = ["tool_use_failed", "malformed_function_call"];

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
    let said = Box::new(Said::of_body(body));
    let wait = asked_wait(headers);
    let is_refusal = status.is_client_error() || status.is_server_error();
    Failure { error: by_status(status, &said, wait), wait, said, is_refusal }
}

fn by_status(status: StatusCode, said: &Said, retry_after: Option<Duration>) -> ModelError {
    match status.as_u16() {
        429 if said.has("insufficient_quota") => ModelError::Misconfigured("the provider's account has no quota left"),
        // Servers report it under many statuses, and a limit of tokens in a minute is one for a request that is larger than it.
        400 | 413 | 422 | 429 | 500.. if said.has_any(&TOO_LONG) => ModelError::ContextTooLong,
        400 | 422 if said.has_any(&KEY) => ModelError::Unauthorised,
        400 | 422 if said.has_any(&BAD_CALL) => unreadable_call(),
        401 | 403 => ModelError::Unauthorised,
        402 => ModelError::Misconfigured("the provider's account has no credit left"),
        404 => ModelError::Misconfigured("the endpoint knows no such model or address"),
        408 => ModelError::Timeout,
        413 => ModelError::ContextTooLong,
        429 => ModelError::RateLimited { retry_after },
        425 | 500.. => ModelError::Unavailable(Cause::new(format!("status {}", status.as_u16()))),
        300..=399 => ModelError::Misconfigured("the endpoint redirects elsewhere"),
        _ => ModelError::BadRequest { code: said.code_word() },
    }
}

fn unreadable_call() -> ModelError {
    ModelError::Unavailable(Cause::new("its server could not read the model's tool call".to_owned()))
}

/// Classifies an error that the endpoint reported within an answer.
pub(super) fn reported(body: &Value) -> Failure {
    let said = Box::new(Said::of(body));
    let number = said.numbers().iter().find_map(|number| StatusCode::from_u16(u16::try_from(*number).ok()?).ok());
    let error = match number.filter(StatusCode::is_client_error) {
        Some(status) => by_status(status, &said, None),
        None if said.has_any(&TOO_LONG) => ModelError::ContextTooLong,
        None if said.has_any(&BAD_CALL) => unreadable_call(),
        None if said.has("rate_limit") => ModelError::RateLimited { retry_after: None },
        None if said.has_any(&KEY) => ModelError::Unauthorised,
        None if said.has("invalid_request") => ModelError::BadRequest { code: said.code_word() },
        None => ModelError::Unavailable(Cause::new("it reported an error in the answer".to_owned())),
    };
    Failure { error, wait: None, said, is_refusal: true }
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
    fn a_conversation_that_is_too_long_is_recognised_wherever_it_is_told() {
        for (number, body) in [
            (
                500,
                json!({"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}),
            ),
            (
                400,
                json!({"error": {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}),
            ),
            (
                400,
                json!({"error": {"code": 400, "message": "The input token count (9) exceeds the maximum number of tokens allowed (8)."}}),
            ),
            (
                400,
                json!({"object": "error", "message": "This model's maximum context length is 8 tokens.", "code": 400}),
            ),
            (
                400,
                json!({"error": {"code": "invalid_parameter_error", "message": "Range of input length should be [1, 30720]"}}),
            ),
            (422, json!({"error": "Input validation error: the prompt is too long"})),
            (
                413,
                json!({"error": {"message": "Request too large for model `x` on tokens per minute (TPM)", "code": "rate_limit_exceeded"}}),
            ),
            (
                429,
                json!({"error": {"message": "Request too large for gpt-4o on tokens per min (TPM)", "code": "rate_limit_exceeded"}}),
            ),
            (400, json!([{"error": {"message": "input length and `max_tokens` exceed context limit"}}])),
        ] {
            assert_eq!(status(number, &body), ModelError::ContextTooLong, "{body}");
        }
        let slow = json!({"error": {"message": "Rate limit reached for requests", "code": "rate_limit_exceeded"}});
        assert_eq!(status(429, &slow), ModelError::RateLimited { retry_after: None });
    }

    #[test]
    fn a_key_that_is_refused_under_another_status_is_told() {
        let body = json!([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]);
        assert_eq!(status(400, &body), ModelError::Unauthorised);
        assert!(status(400, &json!({"error": {"code": "tool_use_failed"}})).retryable());
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
        let reported = |body: Value| reported(&body).error;
        assert_eq!(reported(json!({"code": 429})), ModelError::RateLimited { retry_after: None });
        assert_eq!(reported(json!({"code": "429"})), ModelError::RateLimited { retry_after: None });
        assert!(reported(json!({"type": "server_error"})).retryable());
        assert!(reported(json!({"code": 502})).retryable());
        assert!(!reported(json!({"type": "invalid_request_error"})).retryable());
        assert!(reported(json!(null)).retryable());
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
