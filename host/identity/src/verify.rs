//! Verifies bearer tokens: users' JWTs, the project's two keys, and delegations.

use std::collections::HashSet;
use std::sync::Arc;

use behalf_problem::{Kind, Problem};
use futures::future::BoxFuture;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::claims::Claims;
use super::delegation::{DelegationStore, is_delegation};
use super::jwks::{Jwks, JwksError, JwksSource};
use super::principal::Principal;

/// Longest token that is verified. HTTP headers are bounded too; this bounds the hashing.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Verified tokens in the cache. The least used ones make room for others and are verified again.
const CACHED_TOKENS: usize = 10_000;

/// The keys and claims that tokens are verified against.
#[derive(Debug)]
pub struct VerifierOptions {
    /// HS256 secret of the project.
    pub secret: Option<Vec<u8>>,
    /// The source of public keys (ES256, RS256, `EdDSA`).
    pub jwks: Option<JwksSource>,
    /// Required `aud` claim.
    pub audience: String,
    /// Required `iss` claim, if any.
    pub issuer: Option<String>,
    /// The project's public key. A token equal to it is the anonymous caller.
    pub anon_key: Option<String>,
    /// The project's secret key. A token equal to it is the service role; no other token is.
    pub service_key: Option<String>,
}

/// Why a token is refused. The messages are those that clients of the platform know.
#[derive(Clone, Debug, Error)]
pub enum VerifyError {
    /// No token was sent.
    #[error("Authorization header required")]
    Missing,
    /// The token has expired.
    #[error("Token has expired")]
    Expired,
    /// The token is for another audience.
    #[error("Invalid token audience")]
    Audience,
    /// The token is invalid for another reason.
    #[error("Invalid token: {0}")]
    Invalid(&'static str),
    /// The `apikey` header holds neither of the project's keys.
    #[error("Invalid apikey: send the project's anon or service key")]
    ApiKey,
    /// Delegations cannot be looked up.
    #[error("delegations cannot be looked up right now; try again shortly")]
    DelegationsUnavailable,
    /// The public keys could not be fetched.
    #[error("the keys that verify tokens cannot be reached; try again shortly")]
    KeysUnavailable,
}

impl Problem for VerifyError {
    fn kind(&self) -> Kind {
        match self {
            Self::DelegationsUnavailable | Self::KeysUnavailable => Kind::Unavailable,
            _ => Kind::Unauthorized,
        }
    }
}

/// Turns tokens into [`Principal`]s.
#[derive(Debug)]
pub struct Verifier {
    secret: Option<DecodingKey>,
    jwks: Option<Jwks>,
    audience: String,
    issuer: Option<String>,
    anon_key: Option<String>,
    service_key: Option<String>,
    verified: Cache<[u8; 32], Arc<Principal>>,
    delegations: Option<Arc<dyn DelegationStore>>,
}

impl Verifier {
    /// Prepares the keys. A JWKS file is read at once, a JWKS address is fetched when the first token needs it.
    pub fn new(options: VerifierOptions) -> Result<Self, JwksError> {
        let jwks = options.jwks.map(Jwks::new).transpose()?;
        Ok(Self {
            secret: options.secret.as_deref().map(DecodingKey::from_secret),
            jwks,
            audience: options.audience,
            issuer: options.issuer,
            anon_key: options.anon_key.filter(|key| !key.is_empty()),
            service_key: options.service_key.filter(|key| !key.is_empty()),
            verified: Cache::new(CACHED_TOKENS),
            delegations: None,
        })
    }

    /// The same verifier, which also accepts the tokens of these delegations.
    #[must_use]
    pub fn with_delegations(mut self, delegations: Arc<dyn DelegationStore>) -> Self {
        self.delegations = Some(delegations);
        self
    }

    /// Checks the `apikey` header, which identifies the project and grants no rights.
    pub fn check_api_key(&self, key: &str) -> Result<(), VerifyError> {
        let known = matches_key(self.anon_key.as_deref(), key) | matches_key(self.service_key.as_deref(), key);
        known.then_some(()).ok_or(VerifyError::ApiKey)
    }

    /// Verifies a bearer token and returns its caller. A verified token is cached until it expires, never longer.
    pub fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Principal>, VerifyError>> {
        Box::pin(async move {
            if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
                return Err(VerifyError::Invalid("it is empty or too long"));
            }
            let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
            if is_delegation(token) {
                return self.look_up(hash).await.map(Arc::new);
            }
            if let Some(principal) = self.verified.get(&hash) {
                if principal.expires_at().is_none_or(|end| end > now()) {
                    return Ok(principal);
                }
                self.verified.remove(&hash);
                return Err(VerifyError::Expired);
            }
            let principal = Arc::new(self.verify_uncached(token).await?);
            self.verified.insert(hash, Arc::clone(&principal));
            Ok(principal)
        })
    }

    /// Asks the store each time: a revoked delegation must not stay valid in a cache.
    async fn look_up(&self, hash: [u8; 32]) -> Result<Principal, VerifyError> {
        let delegations = self.delegations.as_ref().ok_or(VerifyError::Invalid("delegations are not accepted here"))?;
        match delegations.find(hash).await {
            Ok(Some(record)) if record.expires_at > now() => Ok(Principal::delegated(record)),
            Ok(_) => Err(VerifyError::Invalid("the delegation is unknown, revoked or over")),
            Err(error) => {
                tracing::error!(error = %error, "cannot look a delegation up");
                Err(VerifyError::DelegationsUnavailable)
            }
        }
    }

    async fn verify_uncached(&self, token: &str) -> Result<Principal, VerifyError> {
        if matches_key(self.service_key.as_deref(), token) {
            return Ok(Principal::service());
        }
        if matches_key(self.anon_key.as_deref(), token) {
            return Ok(Principal::anon());
        }
        let header = decode_header(token).map_err(|_| VerifyError::Invalid("it is not a signed JWT"))?;
        let payload = match header.alg {
            Algorithm::HS256 => {
                let key = self.secret.as_ref().ok_or(VerifyError::Invalid("HS256 is not accepted here"))?;
                self.check(token, key, header.alg)?
            }
            Algorithm::ES256 | Algorithm::RS256 | Algorithm::EdDSA => {
                let jwks = self.jwks.as_ref().ok_or(VerifyError::Invalid("its algorithm is not accepted here"))?;
                let (key, fresh) = jwks.key(header.kid.as_deref(), header.alg).await?;
                if fresh {
                    // Tokens signed by a withdrawn key must not stay valid in the cache.
                    self.verified.clear();
                }
                self.check(token, &key, header.alg)?
            }
            _ => return Err(VerifyError::Invalid("its algorithm is not accepted here")),
        };
        let claims = Claims::from_payload(payload).map_err(VerifyError::Invalid)?;
        // The library still accepts a token in the second of its expiry; the cache does not. The stricter rule wins.
        if claims.expires_at <= now() {
            return Err(VerifyError::Expired);
        }
        Ok(Principal::user(&claims))
    }

    fn check(&self, token: &str, key: &DecodingKey, alg: Algorithm) -> Result<Map<String, Value>, VerifyError> {
        let mut validation = Validation::new(alg);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.audience]);
        let mut required = vec!["exp", "sub", "aud"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.required_spec_claims = required.into_iter().map(str::to_owned).collect::<HashSet<_>>();
        match decode::<Map<String, Value>>(token, key, &validation) {
            Ok(data) => Ok(data.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => VerifyError::Expired,
                ErrorKind::InvalidAudience => VerifyError::Audience,
                ErrorKind::InvalidIssuer => VerifyError::Invalid("wrong issuer"),
                ErrorKind::InvalidSignature => VerifyError::Invalid("wrong signature"),
                ErrorKind::ImmatureSignature => VerifyError::Invalid("it is not valid yet"),
                ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => VerifyError::Audience,
                ErrorKind::MissingRequiredClaim(claim) if claim == "sub" => {
                    VerifyError::Invalid("sub must be a user id")
                }
                ErrorKind::MissingRequiredClaim(_) => VerifyError::Invalid("a required claim is missing"),
                _ => VerifyError::Invalid("it is not a signed JWT"),
            }),
        }
    }
}

fn matches_key(key: Option<&str>, candidate: &str) -> bool {
    key.is_some_and(|key| key.as_bytes().ct_eq(candidate.as_bytes()).into())
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TokenRequest, mint_key, mint_token};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const ALICE: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";

    fn verifier() -> (Verifier, String) {
        let service = mint_key(SECRET, "service_role").expect("a key");
        let verifier = Verifier::new(VerifierOptions {
            secret: Some(SECRET.as_bytes().to_vec()),
            jwks: None,
            audience: "authenticated".to_owned(),
            issuer: None,
            anon_key: Some(mint_key(SECRET, "anon").expect("a key")),
            service_key: Some(service.clone()),
        })
        .expect("a verifier");
        (verifier, service)
    }

    fn token(change: impl FnOnce(&mut TokenRequest)) -> String {
        let mut request = TokenRequest::for_user(ALICE);
        change(&mut request);
        mint_token(SECRET, &request).expect("a token")
    }

    #[tokio::test]
    async fn the_service_role_is_the_key_itself_and_nothing_that_looks_like_it() {
        let (verifier, service) = verifier();
        assert!(verifier.verify(&service).await.expect("the key").is_service());
        let posing = token(|t| t.role = "service_role".to_owned());
        let principal = verifier.verify(&posing).await.expect("a user token");
        assert!(!principal.is_service());
        assert_eq!(principal.subject().map(|id| id.to_string()).as_deref(), Some(ALICE));
        assert!(principal.claims().contains(r#""role":"authenticated""#));
    }

    #[tokio::test]
    async fn a_cached_token_ends_when_it_expires() {
        let (verifier, _) = verifier();
        let token = token(|t| t.ttl_seconds = 1);
        assert!(verifier.verify(&token).await.is_ok());
        while verifier.verify(&token).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(verifier.verify(&token).await, Err(VerifyError::Expired)));
    }

    #[tokio::test]
    async fn wrong_audience_signature_and_algorithm_are_refused() {
        let (verifier, _) = verifier();
        let stranger = token(|t| t.audience = "other".to_owned());
        assert!(matches!(verifier.verify(&stranger).await, Err(VerifyError::Audience)));
        let mut forged = token(|_| ());
        forged.pop();
        assert!(matches!(verifier.verify(&forged).await, Err(VerifyError::Invalid(_))));
        let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiI2Zjk2MTlmZi04Yjg2LWQwMTEtYjQyZC0wMGNmNGZjOTY0ZmYifQ.";
        assert!(matches!(verifier.verify(none).await, Err(VerifyError::Invalid(_))));
        assert!(verifier.verify("").await.is_err());
    }

    #[tokio::test]
    async fn without_a_service_key_nobody_is_the_service() {
        let verifier = Verifier::new(VerifierOptions {
            secret: Some(SECRET.as_bytes().to_vec()),
            jwks: None,
            audience: "authenticated".to_owned(),
            issuer: None,
            anon_key: None,
            service_key: Some(String::new()),
        })
        .expect("a verifier");
        let service = mint_key(SECRET, "service_role").expect("a key");
        assert!(verifier.verify(&service).await.is_err());
        assert!(verifier.verify("").await.is_err());
    }
}
