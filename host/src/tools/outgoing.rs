use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;
use uuid::Uuid;

use super::call::{CallOutcome, Row, ToolCallError};
use super::registry::Tools;
use crate::identity::{AssertionKey, CallSubject, Principal};
use crate::sandbox::{CallError, Outbound, OutboundError, is_result};

/// Headers that an operator may set for one server.
const MAX_HEADERS: usize = 32;
/// Bytes of one.
const MAX_HEADER_BYTES: usize = 8 * 1024;
/// A static header's value that is at least this long is taken for a secret, and never shown to a model.
const MIN_SECRET_BYTES: usize = 8;
/// What stands in place of a secret that a server sent back.
const REMOVED: &str = "[removed]";

/// What a server of the operator's is told of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Identity {
    /// A signed assertion, in place of any static `Authorization`.
    #[default]
    Assertion,
    /// Nothing but the static headers.
    None,
}

/// Why headers or settings of a server cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HeadersError {
    /// Not an object of texts.
    #[error("headers must be a JSON object of strings")]
    Form,
    /// Too many, or one too long.
    #[error("there may be {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes each")]
    TooMany,
    /// A header that is none.
    #[error("{0:?} is no name of a header, or its value is no plain text")]
    Invalid(String),
    /// A header that belongs to the connection.
    #[error("the header {0:?} is set by the host; leave it out")]
    Reserved(String),
    /// An identity that is none.
    #[error("identity must be \"assertion\" (the default) or \"none\"")]
    Identity,
}

/// Reads `identity` of a server's settings.
pub(super) fn read_identity(config: &Value) -> Result<Identity, HeadersError> {
    match config.get("identity") {
        None | Some(Value::Null) => Ok(Identity::Assertion),
        Some(value) if value == "assertion" => Ok(Identity::Assertion),
        Some(value) if value == "none" => Ok(Identity::None),
        Some(_) => Err(HeadersError::Identity),
    }
}

/// Reads static headers.
pub(super) fn read_headers(given: Option<&Value>) -> Result<HeaderMap, HeadersError> {
    let fields = match given {
        None | Some(Value::Null) => return Ok(HeaderMap::new()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(HeadersError::Form),
    };
    if fields.len() > MAX_HEADERS {
        return Err(HeadersError::TooMany);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let text = value.as_str().ok_or(HeadersError::Form)?;
        if name.len() + text.len() > MAX_HEADER_BYTES {
            return Err(HeadersError::TooMany);
        }
        let invalid = || HeadersError::Invalid(name.chars().take(100).collect());
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        if is_reserved(&header) {
            return Err(HeadersError::Reserved(header.to_string()));
        }
        let mut value = HeaderValue::from_str(text).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

/// What frames the request is the host's. Answers are not unpacked, so none may be asked for packed.
fn is_reserved(name: &HeaderName) -> bool {
    const RESERVED: [HeaderName; 9] = [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::ACCEPT_ENCODING,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::EXPECT,
    ];
    RESERVED.contains(name) || name.as_str().starts_with("proxy-") || name.as_str().starts_with("mcp-")
}

/// A call that goes out to a server of the operator's, from its audit row to its end. Dropped, it is recorded as cancelled,
/// with what was sent until then.
pub(super) struct Outgoing {
    row: Row,
    /// The way out.
    pub(super) outbound: Outbound,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.row.record_egress(&self.outbound.records());
    }
}

impl Outgoing {
    pub(super) fn new(row: Row, outbound: Outbound) -> Self {
        Self { row, outbound }
    }

    /// Ends the call: the audit row, then the answer.
    pub(super) fn finish(mut self, result: Result<Value, CallError>) -> Result<CallOutcome, ToolCallError> {
        let call_id = self.row.record_egress(&self.outbound.records());
        let duration = self.row.elapsed();
        let result = result.and_then(|value| {
            let text = value.to_string();
            let raw = is_result(&text).then(|| RawValue::from_string(text).ok()).flatten();
            raw.ok_or(CallError::NotJson)
        });
        match result {
            Ok(result) => {
                self.row.close("ok", None, None);
                self.row.settle_later(Some(call_id));
                Ok(CallOutcome { call_id, result, duration })
            }
            Err(error) => {
                self.row.fail(&error);
                self.row.settle_later(None);
                Err(ToolCallError::Call { call_id, error })
            }
        }
    }
}

/// Headers for one server and one caller, and what of them must not come back.
pub(super) struct OwnHeaders {
    pub(super) headers: HeaderMap,
    secrets: Vec<String>,
}

impl OwnHeaders {
    /// Takes what the server sent back of them out of a text.
    pub(super) fn remove_from(&self, mut text: String) -> String {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), REMOVED);
            }
        }
        text
    }

    /// The same for a failure's words.
    pub(super) fn clean(&self, error: CallError) -> CallError {
        match error {
            CallError::Tool { code, message, retryable } => {
                CallError::Tool { code, message: self.remove_from(message), retryable }
            }
            other => other,
        }
    }
}

impl Tools {
    /// The static headers, and in place of their `Authorization` who calls.
    pub(super) fn own_headers(
        &self,
        fixed: &HeaderMap,
        identity: Identity,
        principal: &Principal,
        call: CallSubject<'_>,
    ) -> Result<OwnHeaders, CallError> {
        let mut headers = fixed.clone();
        let mut secrets: Vec<_> = fixed.values().filter_map(|value| value.to_str().ok()).flat_map(words).collect();
        if identity == Identity::Assertion {
            let key: &Arc<AssertionKey> = self.key.get().ok_or_else(no_key)?;
            let token = key.sign(principal, call).map_err(|error| {
                tracing::error!(error = %error, "an assertion cannot be signed");
                no_key()
            })?;
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| no_key())?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
            secrets.push(token);
        }
        // A longer one may hold a shorter one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Ok(OwnHeaders { headers, secrets })
    }

    /// The way out for one call.
    pub(super) fn outgoing(&self, row: Row, timeout: Duration, max_bytes: u64) -> Outgoing {
        Outgoing::new(row, self.sandbox.outbound(Instant::now() + timeout, max_bytes))
    }
}

/// A value and its parts: servers echo `Bearer abc` as well as `abc`.
fn words(value: &str) -> impl Iterator<Item = String> {
    value.split_ascii_whitespace().filter(|word| word.len() >= MIN_SECRET_BYTES).map(str::to_owned)
}

fn no_key() -> CallError {
    failed("host_unavailable", "this host cannot say who calls right now; try again shortly", true)
}

/// A failure in the words of a tool's own.
pub(super) fn failed(code: &str, message: impl Into<String>, retryable: bool) -> CallError {
    CallError::Tool { code: code.to_owned(), message: message.into(), retryable }
}

/// What went wrong on the way to a server, for whoever called.
pub(super) fn from_outbound(error: OutboundError, what: &str, timeout: Duration) -> CallError {
    match error {
        OutboundError::Timeout => CallError::Deadline(timeout),
        error => {
            let again = matches!(error, OutboundError::Failed(_));
            failed(error.name(), format!("{what} cannot be used: {error}"), again)
        }
    }
}

/// The ids that an assertion names.
pub(super) fn subject<'a>(audience: &'a str, row: &Row) -> CallSubject<'a> {
    let (call_id, agent): (Uuid, Option<Uuid>) = row.ids();
    CallSubject { audience, agent, call_id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn headers_that_frame_a_request_are_refused() {
        for name in
            ["Host", "content-length", "Transfer-Encoding", "accept-encoding", "proxy-authorization", "Mcp-Session-Id"]
        {
            assert!(matches!(read_headers(Some(&json!({ (name): "x" }))), Err(HeadersError::Reserved(_))), "{name}");
        }
        assert!(read_headers(Some(&json!({ "x-a\r\nhost": "x" }))).is_err());
        assert!(read_headers(Some(&json!({ "x-a": "b\r\nhost: c" }))).is_err());
        assert!(read_headers(Some(&json!({ "x-a": 1 }))).is_err() && read_headers(Some(&json!(["x"]))).is_err());
        let headers = read_headers(Some(&json!({ "X-Api-Key": "k" }))).expect("headers");
        assert_eq!(headers["x-api-key"], "k");
        assert!(!format!("{headers:?}").contains("\"k\""), "a header's value is not printed");
    }

    #[test]
    fn what_a_server_echoes_of_a_secret_is_removed() {
        let own = OwnHeaders { headers: HeaderMap::new(), secrets: words("Bearer sk-0123456789").collect() };
        assert_eq!(own.remove_from("you sent Bearer sk-0123456789!".to_owned()), "you sent Bearer [removed]!");
    }
}
