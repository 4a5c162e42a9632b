//! The settings of a custom tool: its address, method, headers and time limit.

use std::time::Duration;

use behalf_sandbox::origin;
use http::{HeaderMap, Method, Uri};
use serde_json::Value;
use thiserror::Error;

use crate::outgoing::{HeadersError, Identity, read_headers, read_identity};

/// Seconds that a call may take where the settings name no time; the platform's default.
const DEFAULT_SECONDS: f64 = 30.0;
/// The seconds that the settings may name; the platform's bounds.
const SECONDS: std::ops::RangeInclusive<f64> = 5.0..=300.0;
/// Characters of an address.
const MAX_ADDRESS: usize = 2_048;

/// Where and how a custom tool's calls are sent.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) uri: Uri,
    /// The origin that assertions are for.
    pub(super) origin: String,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) identity: Identity,
}

/// Why a custom tool's settings cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// The settings are not an object.
    #[error("config must be a JSON object")]
    Form,
    /// An address that no request could be sent to.
    #[error(
        "config.endpoint must be an address of the form http(s)://host[:port]/path, without a user, and with numbers of \
         hosts in their usual form"
    )]
    Address,
    /// A method that cannot carry a call.
    #[error("config.method must be GET, POST, PUT, PATCH or DELETE")]
    Method,
    /// A time outside the bounds.
    #[error("config.timeout_seconds must be a number from 5 to 300")]
    Timeout,
    /// Headers or an identity that cannot be used.
    #[error("config: {0}")]
    Headers(#[from] HeadersError),
}

impl Endpoint {
    /// Reads a tool's settings. Settings without an address are checked as well, and have no endpoint yet.
    pub(super) fn read(config: &Value) -> Result<Option<Self>, EndpointError> {
        let Value::Object(fields) = config else { return Err(EndpointError::Form) };
        let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
        let method = match given("method").map(Value::as_str) {
            None => Method::POST,
            Some(text) => match text.unwrap_or_default().to_ascii_uppercase().as_str() {
                "GET" => Method::GET,
                "POST" => Method::POST,
                "PUT" => Method::PUT,
                "PATCH" => Method::PATCH,
                "DELETE" => Method::DELETE,
                _ => return Err(EndpointError::Method),
            },
        };
        let seconds = given("timeout_seconds").map_or(Some(DEFAULT_SECONDS), Value::as_f64);
        let seconds = seconds.filter(|seconds| SECONDS.contains(seconds)).ok_or(EndpointError::Timeout)?;
        let headers = read_headers(given("headers"))?;
        let identity = read_identity(config)?;
        let Some(address) = given("endpoint") else { return Ok(None) };
        let text = address.as_str().filter(|text| text.len() <= MAX_ADDRESS).ok_or(EndpointError::Address)?;
        let uri: Uri = text.parse().map_err(|_| EndpointError::Address)?;
        let origin = origin(&uri).map_err(|_| EndpointError::Address)?;
        Ok(Some(Self { uri, origin, method, headers, timeout: Duration::from_secs_f64(seconds), identity }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_read_with_the_platforms_defaults() {
        let endpoint = Endpoint::read(&json!({ "endpoint": "https://Tools.Example:443/a?b=c" })).expect("settings");
        let endpoint = endpoint.expect("an endpoint");
        assert_eq!(endpoint.origin, "https://tools.example");
        assert_eq!((endpoint.method, endpoint.timeout), (Method::POST, Duration::from_secs(30)));
        assert_eq!(endpoint.identity, Identity::Assertion);
        assert!(Endpoint::read(&json!({})).expect("settings").is_none());
    }

    #[test]
    fn settings_that_mislead_are_refused() {
        for address in [
            "ftp://a.test/",
            "http://user:pass@a.test/",
            "http://2130706433/",
            "http://0x7f.1/",
            "/path",
            "a.test",
            "",
            "http://a.test:0/",
            "http://[fe80::1%25eth0]/",
            "https://good.test\\@evil.test/",
        ] {
            assert!(
                matches!(Endpoint::read(&json!({ "endpoint": address })), Err(EndpointError::Address)),
                "{address}"
            );
        }
        for config in [
            json!({ "method": "CONNECT" }),
            json!({ "method": 1 }),
            json!({ "timeout_seconds": 4 }),
            json!({ "timeout_seconds": 301 }),
            json!({ "timeout_seconds": "30" }),
            json!({ "identity": "user" }),
            json!({ "headers": { "host": "x" } }),
            json!("x"),
        ] {
            assert!(Endpoint::read(&config).is_err(), "{config}");
        }
    }
}
