//! Classifies failures of requests. The errors repeat nothing that a server sent but an error code.

use std::error::Error as _;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::{Cause, EmbeddingError};

/// How much of the body of a failure is read.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// Longest text that counts as an error code.
const MAX_CODE_BYTES: usize = 48;

/// The phrases with which servers say that a text does not fit.
const TOO_LONG: [&str; 5] = [
    "context_length_exceeded",
    "maximum context length",
    "exceeds the context length",
    "too many tokens",
    "must be less than or equal to",
];

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: EmbeddingError,
    /// The wait that the server asks for.
    asked: Option<Duration>,
}

impl From<EmbeddingError> for Failure {
    fn from(error: EmbeddingError) -> Self {
        Self { error, asked: None }
    }
}

impl Failure {
    /// The wait before a repetition: the server's own, or the planned one. `None` if it would not help.
    pub(super) fn wait(&self, planned: Duration) -> Option<Duration> {
        let may_pass = matches!(self.error, EmbeddingError::RateLimited { .. } | EmbeddingError::Unavailable(_));
        may_pass.then(|| self.asked.unwrap_or(planned))
    }
}

/// Classifies a failed connection.
pub(super) fn transport(error: &reqwest::Error) -> EmbeddingError {
    if error.is_builder() {
        return EmbeddingError::NotSetUp("the server's address or key cannot be sent");
    }
    if error.is_timeout() && !error.is_connect() {
        return EmbeddingError::Timeout;
    }
    // The error's own text contains the URL; the innermost cause does not.
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let doing = if error.is_connect() { "connecting" } else { "reading" };
    let what = if error.source().is_some() { innermost.to_string() } else { "it failed".to_owned() };
    EmbeddingError::Unavailable(Cause::new(format!("{doing}: {what}")))
}

/// Classifies an answer with an error status.
pub(super) fn answered(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let asked = asked_wait(headers);
    Failure { error: by_status(status, &Said::of(&body), asked), asked }
}

fn by_status(status: StatusCode, said: &Said, retry_after: Option<Duration>) -> EmbeddingError {
    match status.as_u16() {
        401 | 403 => EmbeddingError::Unauthorised,
        402 => EmbeddingError::NotSetUp("the account at the embedding server has no credit left"),
        404 => EmbeddingError::NotSetUp("the embedding server knows no such model or address"),
        408 => EmbeddingError::Timeout,
        413 => EmbeddingError::TooLong,
        429 if said.has("insufficient_quota") => {
            EmbeddingError::NotSetUp("the account at the embedding server has no quota left")
        }
        429 => EmbeddingError::RateLimited { retry_after },
        425 | 500.. => EmbeddingError::Unavailable(Cause::new(format!("status {}", status.as_u16()))),
        300..=399 => EmbeddingError::NotSetUp("the embedding server redirects elsewhere"),
        _ if TOO_LONG.iter().any(|phrase| said.has(phrase)) => EmbeddingError::TooLong,
        _ => EmbeddingError::Refused { code: said.code() },
    }
}

/// The texts of an error body, read to classify it. Only an error code is kept.
struct Said(Vec<String>);

impl Said {
    /// Bodies are `{"error": {"message", "type", "code"}}`, or the inner object, or `{"error": "…"}`.
    fn of(body: &Value) -> Self {
        let error = body.get("error").unwrap_or(body);
        let at = |key: &str| error.get(key).and_then(Value::as_str);
        let texts = [at("code"), at("type"), at("message"), error.as_str()];
        Self(texts.into_iter().flatten().map(str::to_lowercase).collect())
    }

    fn has(&self, phrase: &str) -> bool {
        self.0.iter().any(|text| text.contains(phrase))
    }

    /// The error code, if there is one. Keys and prose contain other characters, so they never count as one.
    fn code(&self) -> Option<String> {
        let is_code = |code: &&String| {
            code.len() <= MAX_CODE_BYTES
                && code.contains(|c: char| c.is_ascii_lowercase())
                && code.chars().all(|c| c.is_ascii_lowercase() || "_.".contains(c))
        };
        self.0.iter().find(is_code).cloned()
    }
}

/// Reads `retry-after-ms`, or `retry-after` in seconds. A date is ignored, and the host's own wait is used.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1_000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}
