//! Signs assertions: short-lived tokens that tell a tool's server who makes a call.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use super::principal::Principal;

/// Lifetime of an assertion in seconds: enough for one request and a clock that is a little off.
const LIFETIME_SECONDS: i64 = 60;

/// Why an assertion cannot be made.
#[derive(Debug, Error)]
pub enum AssertionError {
    /// The operating system gave no random numbers, or the library made no key.
    #[error("no key for assertions can be made")]
    Key,
    /// The library could not sign.
    #[error("the assertion cannot be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// The call that an assertion is for.
#[derive(Clone, Copy, Debug)]
pub struct CallSubject<'a> {
    /// The origin of the server, `https://host[:port]`. No other server may accept the assertion.
    pub audience: &'a str,
    /// The agent that makes the call, if one does.
    pub agent: Option<Uuid>,
    /// The call's id, as in the audit log.
    pub call_id: Uuid,
}

/// A key pair of this process that signs assertions for the operator's own servers. The private key is never stored and
/// never leaves the process; [`AssertionKey::jwk`] is the public key.
pub struct AssertionKey {
    issuer: String,
    kid: String,
    jwk: Value,
    key: EncodingKey,
}

impl std::fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssertionKey").field("issuer", &self.issuer).field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl AssertionKey {
    /// Makes a new key pair for the host whose public address is `issuer`.
    pub fn generate(issuer: &str) -> Result<Self, AssertionError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| AssertionError::Key)?;
        let private = pair.to_pkcs8v1().map_err(|_| AssertionError::Key)?;
        // An uncompressed point: a marker byte and two numbers of 32 bytes.
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..).and_then(|point| point.split_at_checked(32)).ok_or(AssertionError::Key)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // The key's thumbprint (RFC 7638), so that no two keys share an id.
        let thumbprint = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(thumbprint.as_bytes()));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y });
        Ok(Self { issuer: issuer.to_owned(), kid, jwk, key: EncodingKey::from_ec_der(private.as_ref()) })
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key (RFC 7517).
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Signs an assertion of the caller's identity, valid for a minute and for one origin. For a caller that is no
    /// user, `sub` is the role.
    pub fn sign(&self, principal: &Principal, call: CallSubject<'_>) -> Result<String, AssertionError> {
        let now = chrono::Utc::now().timestamp();
        let role = principal.role().as_str();
        let subject = principal.subject().map_or_else(|| role.to_owned(), |user| user.to_string());
        let mut claims = json!({
            "iss": self.issuer, "aud": call.audience, "sub": subject, "role": role,
            "iat": now, "exp": now + LIFETIME_SECONDS, "jti": call.call_id,
        });
        // The current actor is outermost, the one behind it is nested (RFC 8693, section 4.1).
        let behind = principal.actor();
        let behind = (behind != subject).then(|| json!({ "sub": behind }));
        let actor = match (call.agent, behind) {
            (Some(agent), Some(behind)) => Some(json!({ "sub": agent, "act": behind })),
            (Some(agent), None) => Some(json!({ "sub": agent })),
            (None, behind) => behind,
        };
        if let Some(actor) = actor {
            claims["act"] = actor;
        }
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        encode(&header, &claims, &self.key).map_err(AssertionError::Sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::jwk::Jwk;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    const AUDIENCE: &str = "https://tools.example";

    fn claims(key: &AssertionKey, principal: &Principal, agent: Option<Uuid>) -> Value {
        let call = CallSubject { audience: AUDIENCE, agent, call_id: Uuid::from_u128(7) };
        let token = key.sign(principal, call).expect("a token");
        let jwk: Jwk = serde_json::from_value(key.jwk().clone()).expect("a key");
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&["http://host.test"]);
        let decoding = DecodingKey::from_jwk(&jwk).expect("a key");
        decode::<Value>(&token, &decoding, &validation).expect("a valid token").claims
    }

    #[test]
    fn an_assertion_names_user_agent_and_call_and_verifies_with_the_public_half() {
        let key = AssertionKey::generate("http://host.test").expect("a key");
        let (alice, agent) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let acting = Principal::service()
            .act_as(alice, &crate::UserClaims::default(), "authenticated", crate::SubjectForm::Ours)
            .expect("service may act");
        let said = claims(&key, &acting, Some(agent));
        assert_eq!(said["sub"], alice.to_string());
        assert_eq!(said["act"], json!({ "sub": agent, "act": { "sub": "service_role" } }));
        assert_eq!((&said["jti"], &said["role"]), (&json!(Uuid::from_u128(7)), &json!("authenticated")));
        assert_eq!(said["exp"].as_i64().expect("a time") - said["iat"].as_i64().expect("a time"), 60);
        let nobody = claims(&key, &Principal::anon(), None);
        assert_eq!((&nobody["sub"], &nobody["role"], nobody.get("act")), (&json!("anon"), &json!("anon"), None));
        assert_eq!(claims(&key, &Principal::service(), None)["sub"], "service_role");
        assert_ne!(AssertionKey::generate("http://host.test").expect("a key").kid(), key.kid());
        let printed = format!("{key:?}");
        assert!(!printed.contains("key:") && printed.contains("host.test"), "{printed}");
    }
}
