//! The keys that sign this host's own access tokens: all that are in use, as this host last read them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::key_set::KeySet;
use super::signing_key::{KeyStatus, SigningAlgorithm, SigningKey};
use super::verify_error::VerifyError;

/// For how long keys count that nobody confirmed: a revocation could not be heard of.
const MAX_AGE: Duration = Duration::from_mins(10);

/// The keys of this host's own tokens. Whoever keeps them in a table installs each state of it here; signing and verifying read
/// the state at hand.
#[derive(Debug)]
pub struct LocalKeys(RwLock<Arc<Snapshot>>);

/// One state of the keys.
pub(super) struct Snapshot {
    keys: KeySet,
    revoked: Vec<String>,
    signer: Option<Signer>,
}

struct Signer {
    kid: String,
    algorithm: SigningAlgorithm,
    alg: Algorithm,
    key: EncodingKey,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("keys", &self.keys).field("revoked", &self.revoked).finish_non_exhaustive()
    }
}

impl Default for LocalKeys {
    fn default() -> Self {
        let none = Snapshot { keys: KeySet::unknown(), revoked: Vec::new(), signer: None };
        Self(RwLock::new(Arc::new(none)))
    }
}

impl LocalKeys {
    /// Uses these keys from now on, and refuses the tokens of all others. `revoked` are the ids of keys that are known and no
    /// longer accepted.
    pub fn install(&self, keys: &[(KeyStatus, SigningKey)], revoked: &[Uuid]) {
        let in_use = |status| status != KeyStatus::Revoked;
        let accepted: Vec<_> =
            keys.iter().filter(|(status, _)| in_use(*status)).map(|(_, key)| key.public_jwk().clone()).collect();
        let current = keys.iter().find(|(status, _)| *status == KeyStatus::Current);
        let signer = current.map(|(_, key)| {
            let (alg, private) = key.signer();
            Signer { kid: key.id().to_string(), algorithm: key.algorithm(), alg, key: private }
        });
        let also_revoked = keys.iter().filter(|(status, _)| !in_use(*status)).map(|(_, key)| key.id());
        let revoked = revoked.iter().copied().chain(also_revoked).map(|id| id.to_string()).collect();
        let mut at_hand = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let keys = at_hand.keys.followed_by(accepted, Instant::now());
        if keys.version() != at_hand.keys.version() {
            tracing::info!(version = keys.version(), "the keys that sign access tokens have changed");
        }
        *at_hand = Arc::new(Snapshot { keys, revoked, signer });
    }

    /// What the key that signs signs with; `None` where none signs.
    pub fn signs_with(&self) -> Option<SigningAlgorithm> {
        self.snapshot().signer.as_ref().map(|signer| signer.algorithm)
    }

    /// The public keys of everything that is accepted, as a JWK set.
    pub(super) fn key_set(&self) -> Value {
        json!({ "keys": self.snapshot().keys.published() })
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signs with the current key; `None` where there is none.
    pub(super) fn sign<T>(&self, sign: impl FnOnce(&str, Algorithm, &EncodingKey) -> T) -> Option<T> {
        let snapshot = self.snapshot();
        snapshot.signer.as_ref().map(|signer| sign(&signer.kid, signer.alg, &signer.key))
    }
}

impl Snapshot {
    /// The version of the keys; an error where they are too old.
    pub(super) fn version(&self) -> Result<u64, VerifyError> {
        let is_usable = self.keys.is_usable(MAX_AGE, Instant::now());
        is_usable.then(|| self.keys.version()).ok_or(VerifyError::KeysUnavailable)
    }

    /// The key of a token that names one of these; `None` where it names another or none. A revoked one is an error.
    pub(super) fn key(&self, kid: Option<&str>, alg: Algorithm) -> Option<Result<DecodingKey, VerifyError>> {
        let kid = kid?;
        if self.revoked.iter().any(|revoked| revoked == kid) {
            return Some(Err(VerifyError::Invalid("signed by a revoked key")));
        }
        self.keys.has(Some(kid), alg).then(|| self.version().and_then(|_| self.keys.key(Some(kid), alg)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TokenSigner, Verifier, VerifierOptions};
    use jsonwebtoken::{Header, encode};

    fn key(algorithm: SigningAlgorithm) -> SigningKey {
        SigningKey::generate(algorithm).expect("a key")
    }

    fn claims() -> Value {
        let now = chrono::Utc::now().timestamp();
        json!({ "sub": Uuid::from_u128(1), "aud": "authenticated", "exp": now + 60, "jti": Uuid::new_v4() })
    }

    fn bed() -> (Arc<LocalKeys>, TokenSigner, Verifier) {
        let keys = Arc::new(LocalKeys::default());
        let verifier =
            Verifier::new(VerifierOptions::default()).expect("a verifier").with_local_keys(Arc::clone(&keys));
        (Arc::clone(&keys), TokenSigner::with_keys(keys), verifier)
    }

    #[tokio::test]
    async fn keys_turn_and_a_revoked_one_is_refused_at_once() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
            let (keys, signer, verifier) = bed();
            assert!(signer.sign(&claims()).is_err() && keys.signs_with().is_none());
            let (old, new) = (key(algorithm), key(SigningAlgorithm::Es256));
            keys.install(&[(KeyStatus::Current, old.clone()), (KeyStatus::Standby, new.clone())], &[]);
            assert_eq!(keys.signs_with(), Some(algorithm));
            let first = signer.sign(&claims()).expect("a token");
            assert!(verifier.verify(&first).await.is_ok());
            let published = signer.key_set();
            assert_eq!(published["keys"].as_array().map(Vec::len), Some(2));
            assert!(published.to_string().contains(&new.id().to_string()));
            for private in ["\"d\"", "\"p\"", "\"q\"", "PRIVATE"] {
                assert!(!published.to_string().contains(private), "{published}");
            }
            keys.install(&[(KeyStatus::Previous, old.clone()), (KeyStatus::Current, new.clone())], &[]);
            let second = signer.sign(&claims()).expect("a token");
            for token in [&first, &second] {
                assert!(verifier.verify(token).await.is_ok());
            }
            keys.install(&[(KeyStatus::Current, new)], &[old.id()]);
            assert!(verifier.verify(&first).await.is_err(), "it was verified before");
            assert!(verifier.verify(&second).await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_key_that_is_not_here_signs_for_nobody() {
        let (keys, _, verifier) = bed();
        let (own, other) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Es256));
        keys.install(&[(KeyStatus::Current, own.clone())], &[]);
        let (alg, private) = other.signer();
        for kid in [None, Some(other.id().to_string()), Some(own.id().to_string())] {
            let header = Header { kid, ..Header::new(alg) };
            let token = encode(&header, &claims(), &private).expect("a token");
            assert!(verifier.verify(&token).await.is_err(), "{:?}", header.kid);
        }
        assert!(!format!("{own:?} {keys:?}").contains("PRIVATE"));
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_nobody_confirms_are_not_used_for_ever() {
        let (keys, signer, verifier) = bed();
        keys.install(&[(KeyStatus::Current, key(SigningAlgorithm::Es256))], &[]);
        let token = signer.sign(&claims()).expect("a token");
        assert!(verifier.verify(&token).await.is_ok());
        tokio::time::advance(MAX_AGE + Duration::from_secs(1)).await;
        assert!(matches!(verifier.verify(&token).await, Err(VerifyError::KeysUnavailable)));
    }
}
