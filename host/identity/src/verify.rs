//! Verifies bearer tokens: users' JWTs, the project's two keys, and delegations.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_problem::{Kind, LogText as _, Problem};
use futures::future::BoxFuture;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use uuid::Uuid;

use super::claims::{Claims, UserClaims};
use super::delegation::{DelegationStore, FoundDelegation, is_delegation};
use super::jwks::{Jwks, JwksError, JwksSource};
use super::principal::{ActAsError, Principal};
use super::principal_seal::PrincipalSeal;

/// Longest token that is verified. HTTP headers are bounded too; this bounds the hashing.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Verified tokens in the cache. The least used ones make room for others and are verified again.
const CACHED_TOKENS: usize = 10_000;

/// How far the clock of whoever issues tokens may be from this host's, where no setting says.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

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
    /// How far the clock of whoever issues tokens may be from this host's.
    pub clock_skew: Duration,
}

impl Default for VerifierOptions {
    fn default() -> Self {
        Self {
            secret: None,
            jwks: None,
            audience: "authenticated".to_owned(),
            issuer: None,
            anon_key: None,
            service_key: None,
            clock_skew: CLOCK_SKEW,
        }
    }
}

/// Keys that were replaced and are still accepted until every client has the new ones.
#[derive(Clone, Default)]
pub struct PreviousKeys {
    /// HS256 secret.
    pub secret: Option<Vec<u8>>,
    /// The public key.
    pub anon_key: Option<String>,
    /// The secret key.
    pub service_key: Option<String>,
}

impl std::fmt::Debug for PreviousKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PreviousKeys(…)")
    }
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
    /// The user of a delegation is banned or gone.
    #[error("Invalid token: the user of this delegation is suspended")]
    Suspended,
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
    clock_skew: Duration,
    previous_secret: Option<DecodingKey>,
    previous_anon_key: Option<String>,
    previous_service_key: Option<String>,
    verified: Cache<[u8; 32], Verdict>,
    delegations: Option<Arc<dyn DelegationStore>>,
    seal: Arc<PrincipalSeal>,
}

/// A token that was verified.
#[derive(Clone, Debug)]
struct Verdict {
    principal: Arc<Principal>,
    /// The version of the key set that verified it; `None` where another secret did, which never changes.
    key_set: Option<u64>,
}

impl Verifier {
    /// Prepares the keys. A JWKS file is read at once, a JWKS address is fetched when the first token needs it.
    pub fn new(options: VerifierOptions) -> Result<Self, JwksError> {
        let jwks = options.jwks.map(Jwks::new).transpose()?;
        let seal = PrincipalSeal::new(
            [options.secret.as_deref(), options.service_key.as_deref().map(str::as_bytes)].into_iter().flatten(),
        );
        Ok(Self {
            secret: options.secret.as_deref().map(DecodingKey::from_secret),
            jwks,
            audience: options.audience,
            issuer: options.issuer,
            anon_key: options.anon_key.filter(|key| !key.is_empty()),
            service_key: options.service_key.filter(|key| !key.is_empty()),
            clock_skew: options.clock_skew,
            previous_secret: None,
            previous_anon_key: None,
            previous_service_key: None,
            verified: Cache::new(CACHED_TOKENS),
            delegations: None,
            seal: Arc::new(seal),
        })
    }

    /// The same verifier, which also accepts the tokens of these delegations.
    #[must_use]
    pub fn with_delegations(mut self, delegations: Arc<dyn DelegationStore>) -> Self {
        self.delegations = Some(delegations);
        self
    }

    /// Stores principals, and restores those that a host with the same secrets stored.
    pub fn seal(&self) -> Arc<PrincipalSeal> {
        Arc::clone(&self.seal)
    }

    /// Whether public keys are fetched, and [`Self::refresh_keys`] therefore has something to do.
    pub fn fetches_keys(&self) -> bool {
        self.jwks.is_some()
    }

    /// Fetches the public keys again. A token that a withdrawn key signed is refused from then on.
    pub async fn refresh_keys(&self) -> Result<(), Arc<JwksError>> {
        match &self.jwks {
            Some(jwks) => jwks.refresh().await,
            None => Ok(()),
        }
    }

    /// The principal of a call that `caller`, the service role, makes for `user`, with what is known of that user.
    pub fn act_as(&self, caller: &Principal, user: Uuid, claims: &UserClaims) -> Result<Principal, ActAsError> {
        caller.act_as(user, claims, &self.audience)
    }

    /// The same verifier, which also accepts these keys, and tokens signed with their secret.
    #[must_use]
    pub fn with_previous(mut self, previous: PreviousKeys) -> Self {
        let secrets = [previous.secret.as_deref(), previous.service_key.as_deref().map(str::as_bytes)];
        self.seal = Arc::new(self.seal.with_previous(secrets.into_iter().flatten()));
        self.previous_secret =
            previous.secret.filter(|secret| !secret.is_empty()).map(|secret| DecodingKey::from_secret(&secret));
        self.previous_anon_key = previous.anon_key.filter(|key| !key.is_empty());
        self.previous_service_key = previous.service_key.filter(|key| !key.is_empty());
        self
    }

    /// Checks the `apikey` header, which identifies the project and grants no rights.
    pub fn check_api_key(&self, key: &str) -> Result<(), VerifyError> {
        let known = self.is_service_key(key) | self.is_anon_key(key);
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
            if let Some(verdict) = self.verified.get(&hash) {
                if verdict.principal.expires_at().is_some_and(|end| end <= now()) {
                    self.verified.remove(&hash);
                    return Err(VerifyError::Expired);
                }
                if self.still_holds(&verdict)? {
                    return Ok(verdict.principal);
                }
                self.verified.remove(&hash);
            }
            let verdict = self.verify_uncached(token).await?;
            self.verified.insert(hash, verdict.clone());
            Ok(verdict.principal)
        })
    }

    /// Whether a token that was verified earlier need not be verified again: the keys are those that verified it.
    fn still_holds(&self, verdict: &Verdict) -> Result<bool, VerifyError> {
        match (verdict.key_set, &self.jwks) {
            (None, _) => Ok(true),
            (Some(version), Some(jwks)) => Ok(jwks.current()?.version() == version),
            (Some(_), None) => Ok(false),
        }
    }

    /// Asks the store each time: a revoked delegation must not stay valid in a cache.
    async fn look_up(&self, hash: [u8; 32]) -> Result<Principal, VerifyError> {
        let delegations = self.delegations.as_ref().ok_or(VerifyError::Invalid("delegations are not accepted here"))?;
        match delegations.find(hash).await {
            Ok(FoundDelegation::Valid(record)) if record.expires_at > now() => {
                Ok(Principal::delegated(record, &self.audience))
            }
            Ok(FoundDelegation::Suspended) => Err(VerifyError::Suspended),
            Ok(FoundDelegation::Valid(_) | FoundDelegation::Over) => {
                Err(VerifyError::Invalid("the delegation is unknown, revoked or over"))
            }
            Err(error) => {
                tracing::error!(error = error.log_text(), "cannot look a delegation up");
                Err(VerifyError::DelegationsUnavailable)
            }
        }
    }

    async fn verify_uncached(&self, token: &str) -> Result<Verdict, VerifyError> {
        let project = |principal| Ok(Verdict { principal: Arc::new(principal), key_set: None });
        if self.is_service_key(token) {
            return project(Principal::service());
        }
        if self.is_anon_key(token) {
            return project(Principal::anon());
        }
        refuse_critical(token)?;
        let header = decode_header(token).map_err(|_| VerifyError::Invalid("it is not a signed JWT"))?;
        let (payload, key_set) = match header.alg {
            Algorithm::HS256 => {
                let key = self.secret.as_ref().ok_or(VerifyError::Invalid("HS256 is not accepted here"))?;
                let payload = match (self.check(token, key, header.alg), &self.previous_secret) {
                    (Err(VerifyError::Invalid(WRONG_SIGNATURE)), Some(previous)) => {
                        self.check(token, previous, header.alg)?
                    }
                    (checked, _) => checked?,
                };
                (payload, None)
            }
            Algorithm::ES256 | Algorithm::RS256 | Algorithm::EdDSA => {
                let jwks = self.jwks.as_ref().ok_or(VerifyError::Invalid("its algorithm is not accepted here"))?;
                let kid = header.kid.as_deref();
                let keys = jwks.with_key(kid, header.alg).await?;
                (self.check(token, &keys.key(kid, header.alg)?, header.alg)?, Some(keys.version()))
            }
            _ => return Err(VerifyError::Invalid("its algorithm is not accepted here")),
        };
        let (now, skew) = (now(), i64::try_from(self.clock_skew.as_secs()).unwrap_or(i64::MAX));
        let claims = Claims::from_payload(payload, skew).map_err(VerifyError::Invalid)?;
        // The library still accepts a token in the last second; the cache does not. The stricter rule wins.
        if claims.accepted_until <= now {
            return Err(VerifyError::Expired);
        }
        // The library does not look at `iat`, and passes an `nbf` over that is no whole number.
        let later = |time: Option<i64>| time.is_some_and(|time| time > now.saturating_add(skew));
        if later(claims.issued_at) || later(claims.not_before) {
            return Err(VerifyError::Invalid("it is not valid yet"));
        }
        Ok(Verdict { principal: Arc::new(Principal::user(&claims, now)), key_set })
    }

    fn is_service_key(&self, key: &str) -> bool {
        matches_key(self.service_key.as_deref(), key) | matches_key(self.previous_service_key.as_deref(), key)
    }

    fn is_anon_key(&self, key: &str) -> bool {
        matches_key(self.anon_key.as_deref(), key) | matches_key(self.previous_anon_key.as_deref(), key)
    }

    fn check(&self, token: &str, key: &DecodingKey, alg: Algorithm) -> Result<Map<String, Value>, VerifyError> {
        let mut validation = Validation::new(alg);
        validation.leeway = self.clock_skew.as_secs();
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
                ErrorKind::InvalidSignature => VerifyError::Invalid(WRONG_SIGNATURE),
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

/// Refuses a token whose header asks for extensions: this host knows none, and whoever does not know one must not accept the
/// token (RFC 7515, section 4.1.11). The library overlooks `crit`, so the header is read here first.
fn refuse_critical(token: &str) -> Result<(), VerifyError> {
    let not_signed = VerifyError::Invalid("it is not a signed JWT");
    let Some((header, _)) = token.split_once('.') else { return Err(not_signed) };
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| not_signed.clone())?;
    let header: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| not_signed)?;
    if header.contains_key("crit") {
        return Err(VerifyError::Invalid("its header asks for extensions (`crit`), and none is supported"));
    }
    Ok(())
}

/// The reason to refuse a token that another key signed.
const WRONG_SIGNATURE: &str = "wrong signature";

fn matches_key(key: Option<&str>, candidate: &str) -> bool {
    key.is_some_and(|key| key.as_bytes().ct_eq(candidate.as_bytes()).into())
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::EncodingKey;
    use jsonwebtoken::crypto::sign;

    use super::*;
    use crate::{TokenRequest, mint_key, mint_token};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const ALICE: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";

    fn verifier() -> (Verifier, String) {
        let service = mint_key(SECRET, "service_role").expect("a key");
        let verifier = Verifier::new(VerifierOptions {
            secret: Some(SECRET.as_bytes().to_vec()),
            anon_key: Some(mint_key(SECRET, "anon").expect("a key")),
            service_key: Some(service.clone()),
            clock_skew: Duration::ZERO,
            ..VerifierOptions::default()
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

    /// A token with a valid signature and these further fields in its header.
    fn with_header(more: &Value) -> String {
        let mut header = serde_json::json!({"alg": "HS256", "typ": "JWT"});
        header.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let payload = token(|_| ()).split('.').nth(1).expect("a payload").to_owned();
        let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let signature = sign(signed.as_bytes(), &key, Algorithm::HS256).expect("a signature");
        format!("{signed}.{signature}")
    }

    #[tokio::test]
    async fn a_header_that_asks_for_more_than_is_known_is_refused() {
        let (verifier, _) = verifier();
        for fine in [serde_json::json!({}), serde_json::json!({"x5t": "abc", "more": 1})] {
            assert!(verifier.verify(&with_header(&fine)).await.is_ok(), "{fine}");
        }
        for asks in [
            serde_json::json!({"crit": ["exp"], "exp": 1}),
            serde_json::json!({"crit": ["b64"], "b64": false}),
            serde_json::json!({"crit": ["https://example.com/policy"]}),
            serde_json::json!({"crit": []}),
            serde_json::json!({"crit": null}),
        ] {
            let refused = verifier.verify(&with_header(&asks)).await;
            assert!(matches!(refused, Err(VerifyError::Invalid(reason)) if reason.contains("crit")), "{asks}");
        }
    }

    #[tokio::test]
    async fn without_a_service_key_nobody_is_the_service() {
        let verifier = Verifier::new(VerifierOptions {
            secret: Some(SECRET.as_bytes().to_vec()),
            service_key: Some(String::new()),
            ..VerifierOptions::default()
        })
        .expect("a verifier");
        let service = mint_key(SECRET, "service_role").expect("a key");
        assert!(verifier.verify(&service).await.is_err());
        assert!(verifier.verify("").await.is_err());
    }
}
