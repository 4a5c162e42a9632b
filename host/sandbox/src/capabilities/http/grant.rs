//! The HTTP grant.

use serde::{Deserialize, Serialize};

use super::secret::SecretGrant;

/// Outbound HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGrants {
    /// `host`, `host:port` or `*.domain`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether requests carry a signed assertion that names the caller.
    #[serde(default)]
    pub identity: HttpIdentity,
    /// Secrets that the host adds to the requests to one host each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretGrant>,
}

/// How an outbound request names the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpIdentity {
    /// Not at all.
    #[default]
    None,
    /// By a signed assertion for the host that is called.
    Assertion,
}

/// The requests that a call may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HttpMethods {
    /// None at all.
    #[default]
    None,
    /// GET and HEAD.
    Reading,
    /// Those of every method.
    All,
}

impl HttpMethods {
    /// Whether a request of this method may be sent.
    pub(crate) fn allow(self, method: &http::Method) -> bool {
        match self {
            Self::None => false,
            Self::Reading => matches!(*method, http::Method::GET | http::Method::HEAD),
            Self::All => true,
        }
    }
}
