//! Signed addresses: whoever has one may download one file until it expires.
//!
//! Their key is made for this purpose alone: an access token never opens an address, a token of `/storage/v1` does not either, and the
//! token of an address is never an access token. A token names the source and the bytes, so it opens nothing that came later.

use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the token is for.
const SCOPE: &str = "source-file";

/// Signs and verifies addresses.
pub(crate) struct AddressSigner<'a>(&'a [u8]);

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    scope: String,
    source: Uuid,
    blob: Uuid,
    iat: i64,
    exp: i64,
}

/// The token opens nothing, or nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

impl<'a> AddressSigner<'a> {
    /// With the key for addresses.
    pub(crate) fn new(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// A token for the file of a source, for so many seconds.
    pub(crate) fn sign(&self, source: Uuid, blob: Uuid, seconds: i64) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = Utc::now().timestamp();
        let claims = Claims { scope: SCOPE.to_owned(), source, blob, iat, exp: iat.saturating_add(seconds) };
        encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(self.0))
    }

    /// The bytes that the token opens, which was made for this source.
    pub(crate) fn verify(&self, token: &str, source: Uuid) -> Result<Uuid, Invalid> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        rules.validate_aud = false;
        rules.set_required_spec_claims(&["exp"]);
        let read = decode::<Claims>(token, &DecodingKey::from_secret(self.0), &rules);
        let claims = read.map_err(|_| Invalid)?.claims;
        if claims.scope == SCOPE && claims.source == source { Ok(claims.blob) } else { Err(Invalid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_one_file_for_a_time() {
        let (one, two, blob) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let signer = AddressSigner::new(b"key");
        let token = signer.sign(one, blob, 60).expect("a token");
        assert_eq!(signer.verify(&token, one), Ok(blob));
        assert_eq!(signer.verify(&token, two), Err(Invalid));
        assert_eq!(AddressSigner::new(b"other").verify(&token, one), Err(Invalid));
        let late = signer.sign(one, blob, -1).expect("a token");
        assert_eq!(signer.verify(&late, one), Err(Invalid));
        for bad in ["", "a.b.c", &token[..token.len() - 1]] {
            assert_eq!(signer.verify(bad, one), Err(Invalid), "{bad}");
        }
        // The same key and another purpose: no scope of this kind.
        let other = serde_json::json!({ "source": one, "blob": blob, "exp": Utc::now().timestamp() + 60, "iat": 0, "scope": "download" });
        let other = encode(&Header::new(Algorithm::HS256), &other, &EncodingKey::from_secret(b"key")).expect("a token");
        assert_eq!(signer.verify(&other, one), Err(Invalid));
        // Without a signature.
        let (_, rest) = token.split_once('.').expect("three parts");
        assert_eq!(signer.verify(&format!("eyJhbGciOiJub25lIn0.{rest}"), one), Err(Invalid));
    }
}
