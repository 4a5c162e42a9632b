//! The static headers, the identity and the promise that an operator sets for a server.

use behalf_sandbox::is_framing_header;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use thiserror::Error;

use crate::cut::cut;

/// Headers that an operator may set for one server.
const MAX_HEADERS: usize = 32;
/// Bytes of one header, its name and value together.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// What a server of the operator's learns of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A signed assertion, in place of any static `Authorization`.
    #[default]
    Assertion,
    /// Nothing: the server gets the static headers alone.
    None,
}

/// Why headers or settings of a server cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HeadersError {
    /// The headers are not an object of texts.
    #[error("headers must be a JSON object of strings")]
    Form,
    /// There are too many headers, or one is too long.
    #[error("there may be {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes each")]
    TooMany,
    /// A header whose name or value is not valid.
    #[error("{0:?} is no name of a header, or its value is no plain text")]
    Invalid(String),
    /// A header that the host sets itself.
    #[error("the header {0:?} is set by the host; leave it out")]
    Reserved(String),
    /// The identity is neither of the two words.
    #[error("identity must be \"assertion\" (the default) or \"none\"")]
    Identity,
    /// The word for a tool that only reads is another one.
    #[error(
        "read_only must be \"declared\", which says that you vouch for a tool that only reads; leave it out otherwise"
    )]
    ReadOnly,
}

/// The setting by which an operator vouches that a tool only reads.
pub(crate) const READ_ONLY: &str = "read_only";

/// Reads `read_only` of a tool's or server's settings. Nothing can be enforced there, so it takes the operator's word.
pub(crate) fn read_declared(config: &Value) -> Result<bool, HeadersError> {
    match config.get(READ_ONLY) {
        None | Some(Value::Null) => Ok(false),
        Some(value) if value == "declared" => Ok(true),
        Some(_) => Err(HeadersError::ReadOnly),
    }
}

/// Reads `identity` of a server's settings.
pub(crate) fn read_identity(config: &Value) -> Result<Identity, HeadersError> {
    match config.get("identity") {
        None | Some(Value::Null) => Ok(Identity::Assertion),
        Some(value) if value == "assertion" => Ok(Identity::Assertion),
        Some(value) if value == "none" => Ok(Identity::None),
        Some(_) => Err(HeadersError::Identity),
    }
}

/// Reads static headers.
pub(crate) fn read_headers(given: Option<&Value>) -> Result<HeaderMap, HeadersError> {
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
        let invalid = || HeadersError::Invalid(cut(name, 100));
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

/// Whether the host sets a header itself. Headers that frame a request belong to it, and so does `accept-encoding`, because the
/// host does not decompress answers.
fn is_reserved(name: &HeaderName) -> bool {
    is_framing_header(name) || name.as_str().starts_with("mcp-")
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
}
