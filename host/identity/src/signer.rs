//! Signs the access tokens of this host's own sessions.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::mint::MintError;

/// Signs access tokens.
pub struct TokenSigner(EncodingKey);

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
        Ok(Self(EncodingKey::from_secret(secret.as_bytes())))
    }

    /// Signs these claims.
    pub fn sign(&self, claims: &Value) -> Result<String, MintError> {
        encode(&Header::new(Algorithm::HS256), claims, &self.0).map_err(MintError::Sign)
    }

    /// The public keys that verify its tokens, as a JWK set; empty where it signs with the secret.
    pub fn key_set(&self) -> Value {
        json!({ "keys": [] })
    }
}
