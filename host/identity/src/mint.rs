//! Makes tokens, keys and secrets: for development, tests and `behalf keys`.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rand::TryRngCore;
use serde_json::json;
use thiserror::Error;

/// Why a token or a secret could not be made.
#[derive(Debug, Error)]
pub enum MintError {
    /// The secret is shorter than the hash of HS256, which RFC 7518 (section 3.2) does not allow.
    #[error("the JWT secret has {0} bytes; use at least 32 (`behalf keys` makes one)")]
    WeakSecret(usize),
    /// The library could not sign.
    #[error("cannot sign the token")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// No key of this project signs at present.
    #[error("no signing key is current; `behalf auth keys` shows them")]
    NoKey,
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers")]
    Random,
}

/// A user token to mint, for development and tests; in production the app's auth server does this.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The user's uuid.
    pub subject: String,
    /// The `role` claim.
    pub role: String,
    /// The `aud` claim.
    pub audience: String,
    /// The `iss` claim.
    pub issuer: Option<String>,
    /// Seconds until the token expires; a negative number makes an expired one.
    pub ttl_seconds: i64,
    /// The `email` claim.
    pub email: Option<String>,
}

impl TokenRequest {
    /// A request for a token of a signed-in user, valid for an hour.
    pub fn for_user(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            role: "authenticated".to_owned(),
            audience: "authenticated".to_owned(),
            issuer: None,
            ttl_seconds: 3600,
            email: None,
        }
    }
}

/// Signs a user token (HS256) with the claims that `GoTrue` gives.
pub fn mint_token(secret: &str, request: &TokenRequest) -> Result<String, MintError> {
    let now = chrono::Utc::now().timestamp();
    let mut claims = json!({
        "sub": request.subject,
        "role": request.role,
        "aud": request.audience,
        "iat": now,
        "exp": now.saturating_add(request.ttl_seconds),
    });
    for (name, value) in [("iss", &request.issuer), ("email", &request.email)] {
        if let Some(value) = value {
            claims[name] = json!(value);
        }
    }
    sign(secret, &claims)
}

/// Signs one of the project's two keys: `role` is `anon` or `service_role`. It is valid for five years, as Supabase's
/// keys are.
pub fn mint_key(secret: &str, role: &str) -> Result<String, MintError> {
    const FIVE_YEARS: i64 = 5 * 365 * 24 * 3600;
    let now = chrono::Utc::now().timestamp();
    sign(secret, &json!({ "role": role, "iss": "supabase", "iat": now, "exp": now + FIVE_YEARS }))
}

/// Makes an HS256 secret: 48 random bytes in hexadecimal.
pub fn new_secret() -> Result<String, MintError> {
    let mut bytes = [0_u8; 48];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| MintError::Random)?;
    Ok(hex::encode(bytes))
}

/// Makes a key for secrets in the database: 32 random bytes in hexadecimal.
pub fn new_secrets_key() -> Result<String, MintError> {
    let mut bytes = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| MintError::Random)?;
    Ok(hex::encode(bytes))
}

fn sign(secret: &str, claims: &serde_json::Value) -> Result<String, MintError> {
    if secret.len() < 32 {
        return Err(MintError::WeakSecret(secret.len()));
    }
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .map_err(MintError::Sign)
}
