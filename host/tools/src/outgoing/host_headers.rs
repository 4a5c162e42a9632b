//! The headers that the host adds to a request, and the removal of their secrets from what a server sends back.

use behalf_identity::{CallSubject, Principal};
use behalf_sandbox::CallError;
use behalf_telemetry::trace;
use http::{HeaderMap, HeaderValue, header};

use super::headers::Identity;
use crate::assertion_signer::{AssertionSigner, no_key};

/// A static header's value with at least this many bytes counts as a secret and is never shown to a model.
const MIN_SECRET_BYTES: usize = 8;
/// The text that replaces a secret that a server sent back.
const REMOVED: &str = "[removed]";

/// Headers for one server and one caller, with the secrets in them.
pub(crate) struct HostHeaders {
    pub(crate) headers: HeaderMap,
    secrets: Vec<String>,
}

impl HostHeaders {
    /// The static headers; where `identity` says so, an assertion of who calls replaces their `Authorization`.
    pub(super) async fn new(
        fixed: &HeaderMap,
        identity: Identity,
        signer: &AssertionSigner,
        principal: &Principal,
        call: CallSubject<'_>,
    ) -> Result<Self, CallError> {
        let mut headers = fixed.clone();
        let mut secrets: Vec<_> = fixed.values().filter_map(|value| value.to_str().ok()).flat_map(words).collect();
        if identity == Identity::Assertion {
            let token = signer.sign(principal, call).await?;
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| no_key())?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
            secrets.push(token);
        }
        trace::continue_at(&mut headers);
        // Longer secrets first: a longer one may contain a shorter one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Ok(Self { headers, secrets })
    }

    /// Replaces every secret in a text that a server sent back.
    pub(crate) fn remove_from(&self, mut text: String) -> String {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), REMOVED);
            }
        }
        text
    }

    /// Replaces every secret in the message of a failure.
    pub(crate) fn clean(&self, error: CallError) -> CallError {
        match error {
            CallError::Tool { code, message, retryable } => {
                CallError::Tool { code, message: message.map(|text| self.remove_from(text)), retryable }
            }
            other => other,
        }
    }
}

/// The words of a header's value that are long enough to be secrets: a server may echo `Bearer abc…` or `abc…` alone.
fn words(value: &str) -> impl Iterator<Item = String> {
    value.split_ascii_whitespace().filter(|word| word.len() >= MIN_SECRET_BYTES).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_echoes_of_a_secret_is_removed() {
        let own = HostHeaders { headers: HeaderMap::new(), secrets: words("Bearer sk-0123456789").collect() };
        assert_eq!(own.remove_from("you sent Bearer sk-0123456789!".to_owned()), "you sent Bearer [removed]!");
    }
}
