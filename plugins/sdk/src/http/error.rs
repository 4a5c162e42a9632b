//! Why a request has no answer.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// Why a request has no answer, or none that is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// `denied`, `invalid`, `timeout`, `limit`, `unreachable`, `refused`, `status`, `not_json`, or one that does not exist yet.
    pub code: String,
    /// One sentence that a model may read. It names the host, and nothing of the answer.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Error {
    pub(super) fn new(code: &str, message: String) -> Self {
        Self { code: code.to_owned(), message, retryable: false }
    }

    /// The host's own reason.
    #[cfg_attr(
        not(target_family = "wasm"),
        allow(dead_code, reason = "there is no WASI; a test looks at the sentences")
    )]
    pub(super) fn refused(host: &str, reason: &str) -> Self {
        Self::new("refused", format!("The request to {host} failed: {reason}."))
    }

    /// The error for WASI's, by the name of its case.
    #[cfg_attr(
        not(target_family = "wasm"),
        allow(dead_code, reason = "there is no WASI; a test looks at the sentences")
    )]
    pub(super) fn named(name: &str, host: &str) -> Self {
        let (code, message) = match name {
            "HttpRequestDenied" => (
                "denied",
                format!(
                    "The request to {host} was denied: [grants.http] does not name this host and port, the tool does not say \
                     `open_world`, it says `read_only` and sent more than GET and HEAD, or the call has sent too many."
                ),
            ),
            "DestinationIpProhibited" => {
                ("denied", format!("The request to {host} was denied: it is in a private network."))
            }
            "HttpRequestUriInvalid" | "HttpRequestMethodInvalid" => {
                ("invalid", format!("The request to {host} has no sound address or method."))
            }
            "HttpRequestBodySize" => ("limit", format!("The request to {host} is larger than a tool may send.")),
            "HttpResponseBodySize" | "HttpResponseHeaderSectionSize" => {
                ("limit", format!("The answer of {host} is larger than a tool may read."))
            }
            "ConnectionLimitReached" => ("limit", "The call has too many connections at once.".to_owned()),
            "DnsTimeout"
            | "ConnectionTimeout"
            | "ConnectionReadTimeout"
            | "ConnectionWriteTimeout"
            | "HttpResponseTimeout" => ("timeout", format!("{host} did not answer in time.")),
            _ => ("unreachable", format!("{host} could not be reached ({name}).")),
        };
        Self { retryable: matches!(code, "timeout" | "unreachable"), ..Self::new(code, message) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_sentence() {
        for (name, code, retryable) in [
            ("HttpRequestDenied", "denied", false),
            ("DestinationIpProhibited", "denied", false),
            ("HttpRequestUriInvalid", "invalid", false),
            ("HttpResponseBodySize", "limit", false),
            ("ConnectionReadTimeout", "timeout", true),
            ("TlsCertificateError", "unreachable", true),
        ] {
            let error = Error::named(name, "a.test:8443");
            assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{name}");
            assert!(error.message.contains("a.test:8443"), "{error}");
        }
        let refused = Error::refused("a.test", "the secret key has no value yet");
        assert_eq!(refused.message, "The request to a.test failed: the secret key has no value yet.");
        assert!(refused.code == "refused" && !refused.retryable);
    }
}
