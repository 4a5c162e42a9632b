//! Signs the access tokens of this host's own sessions.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::local_keys::LocalKeys;
use super::mint::MintError;

/// Signs access tokens.
pub struct TokenSigner {
    /// The project's secret, where that signs.
    secret: Option<EncodingKey>,
    keys: Option<Arc<LocalKeys>>,
}

impl std::fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSigner(…)")
    }
}

impl TokenSigner {
    /// Signs with the project's secret (HS256).
    pub fn with_secret(secret: &str) -> Result<Self, MintError> {
        if secret.len() < 32 {
            return Err(MintError::WeakSecret(secret.len()));
        }
        Ok(Self { secret: Some(EncodingKey::from_secret(secret.as_bytes())), keys: None })
    }

    /// Signs with the current one of these keys (ES256 or RS256).
    pub fn with_keys(keys: Arc<LocalKeys>) -> Self {
        Self { secret: None, keys: Some(keys) }
    }

    /// The same signer, which also publishes these keys: those of tokens that were signed before.
    #[must_use]
    pub fn publishing(self, keys: Arc<LocalKeys>) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Signs these claims.
    pub fn sign(&self, claims: &Value) -> Result<String, MintError> {
        if let Some(secret) = &self.secret {
            return encode(&Header::new(Algorithm::HS256), claims, secret).map_err(MintError::Sign);
        }
        let signed = self.keys.as_ref().and_then(|keys| {
            keys.sign(|kid, alg, key| {
                let header = Header { kid: Some(kid.to_owned()), ..Header::new(alg) };
                encode(&header, claims, key).map_err(MintError::Sign)
            })
        });
        signed.unwrap_or(Err(MintError::NoKey))
    }

    /// The public keys that verify its tokens, as a JWK set; empty where only the secret ever signed.
    pub fn key_set(&self) -> Value {
        self.keys.as_ref().map_or_else(|| json!({ "keys": [] }), |keys| keys.key_set())
    }
}
