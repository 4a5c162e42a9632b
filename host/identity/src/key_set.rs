//! One version of the project's public keys (RFC 7517).

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::time::Instant;

use super::verify_error::VerifyError;

/// The keys that were published at one time. A set with other keys has another version.
#[derive(Debug)]
pub(super) struct KeySet {
    version: u64,
    keys: Vec<Jwk>,
    /// When the source last said that these are the keys; `None` before it ever did.
    confirmed: Option<Instant>,
}

/// A JWK set as it is published. Keys of unknown kinds are left out, as RFC 7517 asks (section 5).
#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

/// Reads a published set.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Jwk>, serde_json::Error> {
    let Published { keys } = serde_json::from_slice(text)?;
    Ok(keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
}

impl KeySet {
    /// The set of a source that was not asked yet.
    pub(super) fn unknown() -> Self {
        Self { version: 0, keys: Vec::new(), confirmed: None }
    }

    /// What follows this set when its source answers with `keys`: the same version where they are the same.
    pub(super) fn followed_by(&self, keys: Vec<Jwk>, now: Instant) -> Self {
        let version = if keys == self.keys { self.version } else { self.version + 1 };
        Self { version, keys, confirmed: Some(now) }
    }

    /// Counts the changes of the set.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Whether tokens may still be verified with it: its source confirmed it within `max_age`.
    pub(super) fn is_usable(&self, max_age: std::time::Duration, now: Instant) -> bool {
        self.confirmed.is_some_and(|at| now.duration_since(at) <= max_age)
    }

    /// The keys themselves.
    pub(super) fn published(&self) -> &[Jwk] {
        &self.keys
    }

    /// Whether it has the key that a token names.
    pub(super) fn has(&self, kid: Option<&str>, alg: Algorithm) -> bool {
        find(&self.keys, kid, alg).is_some()
    }

    /// The key that a token names.
    pub(super) fn key(&self, kid: Option<&str>, alg: Algorithm) -> Result<DecodingKey, VerifyError> {
        let jwk = find(&self.keys, kid, alg).ok_or(VerifyError::Invalid("signed by an unknown key"))?;
        DecodingKey::from_jwk(jwk).map_err(|_| VerifyError::Invalid("signed by an unusable key"))
    }
}

/// Finds a key by its id. A token without a key id fits only a set with a single key of its algorithm.
fn find<'a>(keys: &'a [Jwk], kid: Option<&str>, alg: Algorithm) -> Option<&'a Jwk> {
    let mut fitting = keys.iter().filter(|jwk| fits(jwk, alg));
    if let Some(kid) = kid {
        fitting.find(|jwk| jwk.common.key_id.as_deref() == Some(kid))
    } else {
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }
}

/// A key serves one algorithm: a public RSA key must never verify anything but RS256.
fn fits(jwk: &Jwk, alg: Algorithm) -> bool {
    use jsonwebtoken::jwk::{AlgorithmParameters as P, EllipticCurve as C};
    let kind = match (&jwk.algorithm, alg) {
        (P::RSA(_), Algorithm::RS256) => true,
        (P::EllipticCurve(p), Algorithm::ES256) => p.curve == C::P256,
        (P::OctetKeyPair(p), Algorithm::EdDSA) => p.curve == C::Ed25519,
        _ => false,
    };
    let declared = match jwk.common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::RS256) => alg == Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => alg == Algorithm::ES256,
        Some(KeyAlgorithm::EdDSA) => alg == Algorithm::EdDSA,
        Some(_) => false,
    };
    let signing = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    kind && declared && signing
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SET: &[u8] = br#"{"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": "of a kind that does not exist yet", "kid": "b"}]}"#;

    #[test]
    fn another_set_has_another_version_and_an_old_one_is_not_used() {
        let now = Instant::now();
        let first = KeySet::unknown().followed_by(parse(SET).expect("a set"), now);
        assert!(first.has(Some("a"), Algorithm::EdDSA) && !first.has(Some("b"), Algorithm::EdDSA));
        let same = first.followed_by(parse(SET).expect("a set"), now);
        assert_eq!(first.version(), same.version());
        let emptied = same.followed_by(Vec::new(), now);
        assert_ne!(same.version(), emptied.version());
        assert!(!emptied.has(Some("a"), Algorithm::EdDSA));
        let hour = Duration::from_hours(1);
        assert!(first.is_usable(hour, now + hour) && !first.is_usable(hour, now + hour + Duration::from_secs(1)));
        assert!(!KeySet::unknown().is_usable(hour, now));
    }
}
