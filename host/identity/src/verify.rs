//! Verifies bearer tokens: users' JWTs, the project's two keys, and delegations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use behalf_problem::LogText as _;
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Header, decode_header};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::claims::{Claims, UserClaims};
use super::delegation::{DelegationStore, FoundDelegation, is_delegation};
use super::issuer::{Issuer, Issuers};
use super::jwks::{Jwks, JwksError, JwksSource};
use super::local_keys::LocalKeys;
use super::mapped::SubjectForm;
use super::principal::{ActAsError, Principal};
use super::principal_seal::PrincipalSeal;
use super::session::{Session, SessionStore, Sessions};
use super::signature::{Rules, WRONG_SIGNATURE, check, refuse_critical, stated_issuer};
use super::verify_error::VerifyError;

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
    local_keys: Option<Arc<LocalKeys>>,
    issuers: Issuers,
    sessions: Option<Sessions>,
    /// Whether `auth.uid()` of the database reads the claim of mapped users.
    reads_mapped: AtomicBool,
}

/// A token that was verified.
#[derive(Clone, Debug)]
struct Verdict {
    principal: Arc<Principal>,
    signed_by: SignedBy,
    /// The session of a token of this host's own.
    session: Option<Arc<Session>>,
    /// How the subject of a mapped user is bound.
    form: Option<SubjectForm>,
}

/// Whose key verified a token, with the version of the keys.
#[derive(Clone, Debug)]
enum SignedBy {
    /// A secret of the project, which never changes, or the token is one of its two keys.
    Secret,
    /// A key of this host's own.
    Local(u64),
    /// A key of the project's key set.
    Project(u64),
    /// A key of another issuer.
    Issuer(Arc<Issuer>, u64),
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
            local_keys: None,
            issuers: Issuers::default(),
            sessions: None,
            reads_mapped: AtomicBool::new(false),
        })
    }

    /// The same verifier, which accepts the tokens of this host's own sessions only while these live.
    #[must_use]
    pub fn with_sessions(mut self, store: Arc<dyn SessionStore>) -> Self {
        self.sessions = Some(Sessions::new(store));
        // What was verified before knows no session.
        self.verified = Cache::new(CACHED_TOKENS);
        self
    }

    /// Refuses the tokens of this session from now on.
    pub fn session_ended(&self, session: Uuid) {
        if let Some(sessions) = &self.sessions {
            sessions.end(session);
        }
    }

    /// Looks every session up again before its next token is accepted. For whoever may have missed that some ended.
    pub fn forget_sessions(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.forget();
        }
    }

    /// The same verifier, which also accepts tokens that these keys of the host's own signed.
    #[must_use]
    pub fn with_local_keys(mut self, keys: Arc<LocalKeys>) -> Self {
        self.local_keys = Some(keys);
        self
    }

    /// The same verifier, which also accepts tokens of these issuers.
    #[must_use]
    pub fn with_issuers(mut self, issuers: Issuers) -> Self {
        self.issuers = issuers;
        self
    }

    /// The issuers beside the project's own.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Says how the subjects of mapped users are bound from now on: [`SubjectForm::Theirs`] only while `auth.uid()` of the database
    /// reads the claim `behalf_uid`.
    pub fn bind_subjects_as(&self, form: SubjectForm) {
        self.reads_mapped.store(form == SubjectForm::Theirs, Ordering::Release);
    }

    fn subject_form(&self) -> SubjectForm {
        if self.reads_mapped.load(Ordering::Acquire) { SubjectForm::Theirs } else { SubjectForm::Ours }
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
        self.jwks.is_some() || !self.issuers.is_empty()
    }

    /// Fetches the public keys again. A token that a withdrawn key signed is refused from then on.
    pub async fn refresh_keys(&self) -> Result<(), Arc<JwksError>> {
        let own = async {
            match &self.jwks {
                Some(jwks) => jwks.refresh().await,
                None => Ok(()),
            }
        };
        let (own, others) = futures::future::join(own, self.issuers.refresh_keys()).await;
        own.and(others)
    }

    /// The principal of a call that `caller`, the service role, makes for `user`, with what is known of that user.
    pub fn act_as(&self, caller: &Principal, user: Uuid, claims: &UserClaims) -> Result<Principal, ActAsError> {
        caller.act_as(user, claims, &self.audience, self.subject_form())
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
                    self.check_session(&verdict).await?;
                    return Ok(verdict.principal);
                }
                self.verified.remove(&hash);
            }
            let verdict = self.verify_uncached(token).await?;
            self.check_session(&verdict).await?;
            self.verified.insert(hash, verdict.clone());
            Ok(verdict.principal)
        })
    }

    /// Whether a token that was verified earlier need not be verified again: the keys are those that verified it.
    fn still_holds(&self, verdict: &Verdict) -> Result<bool, VerifyError> {
        if verdict.form.is_some_and(|form| form != self.subject_form()) {
            return Ok(false);
        }
        match (&verdict.signed_by, &self.jwks, &self.local_keys) {
            (SignedBy::Secret, ..) => Ok(true),
            (SignedBy::Project(version), Some(jwks), _) => Ok(jwks.current()?.version() == *version),
            (SignedBy::Local(version), _, Some(keys)) => Ok(keys.snapshot().version()? == *version),
            (SignedBy::Issuer(issuer, version), ..) => Ok(issuer.key_version()? == *version),
            (SignedBy::Project(_) | SignedBy::Local(_), ..) => Ok(false),
        }
    }

    /// Refuses a token whose session has ended.
    async fn check_session(&self, verdict: &Verdict) -> Result<(), VerifyError> {
        match (&self.sessions, &verdict.session) {
            (Some(sessions), Some(session)) => sessions.check(session).await,
            _ => Ok(()),
        }
    }

    /// Asks the store each time: a revoked delegation must not stay valid in a cache.
    async fn look_up(&self, hash: [u8; 32]) -> Result<Principal, VerifyError> {
        let delegations = self.delegations.as_ref().ok_or(VerifyError::Invalid("delegations are not accepted here"))?;
        match delegations.find(hash).await {
            Ok(FoundDelegation::Valid(record)) if record.expires_at > now() => {
                Ok(Principal::delegated(record, &self.audience, self.subject_form()))
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
        let key = |principal| {
            Ok(Verdict { principal: Arc::new(principal), signed_by: SignedBy::Secret, session: None, form: None })
        };
        if self.is_service_key(token) {
            return key(Principal::service());
        }
        if self.is_anon_key(token) {
            return key(Principal::anon());
        }
        refuse_critical(token)?;
        let header = decode_header(token).map_err(|_| VerifyError::Invalid("it is not a signed JWT"))?;
        // Which rules a token has to meet is decided before any key is looked at, so no issuer's key is tried on another's token.
        let issuer = stated_issuer(token).and_then(|issuer| self.issuers.get(&issuer).cloned());
        let (claims, signed_by) = match issuer {
            Some(issuer) => {
                let (claims, version) = issuer.verify(token, &header, self.clock_skew).await?;
                (claims, SignedBy::Issuer(issuer, version))
            }
            None => self.verify_own(token, &header).await?,
        };
        let (now, skew) = (now(), self.skew_seconds());
        // The library still accepts a token in the last second; the cache does not. The stricter rule wins.
        if claims.accepted_until <= now {
            return Err(VerifyError::Expired);
        }
        // The library does not look at `iat`, and passes an `nbf` over that is no whole number.
        let later = |time: Option<i64>| time.is_some_and(|time| time > now.saturating_add(skew));
        if later(claims.issued_at) || later(claims.not_before) {
            return Err(VerifyError::Invalid("it is not valid yet"));
        }
        let (form, session) = (self.subject_form(), self.session_of(&claims, &signed_by));
        let principal = Arc::new(Principal::user(&claims, form, now));
        Ok(Verdict { principal, signed_by, session, form: claims.subject.own.is_some().then_some(form) })
    }

    /// Verifies a token by the project's own rules.
    async fn verify_own(&self, token: &str, header: &Header) -> Result<(Claims, SignedBy), VerifyError> {
        // The project's subjects are ids here as well, so the two could name each other's users.
        if self.issuers.with_ids().is_some() {
            return Err(VerifyError::Invalid("its issuer is not accepted here"));
        }
        let rules =
            Rules { clock_skew: self.clock_skew, audience: Some(&self.audience), issuer: self.issuer.as_deref() };
        let check = |key: &DecodingKey| check(token, key, header.alg, rules);
        let (payload, signed_by) = match header.alg {
            Algorithm::HS256 => {
                let key = self.secret.as_ref().ok_or(VerifyError::Invalid("HS256 is not accepted here"))?;
                let payload = match (check(key), &self.previous_secret) {
                    (Err(VerifyError::Invalid(WRONG_SIGNATURE)), Some(previous)) => check(previous)?,
                    (checked, _) => checked?,
                };
                (payload, SignedBy::Secret)
            }
            Algorithm::ES256 | Algorithm::RS256 | Algorithm::EdDSA => {
                self.verify_with_public_key(check, header).await?
            }
            _ => return Err(VerifyError::Invalid("its algorithm is not accepted here")),
        };
        let claims = Claims::from_payload(payload, self.skew_seconds()).map_err(VerifyError::Invalid)?;
        Ok((claims, signed_by))
    }

    async fn verify_with_public_key(
        &self,
        check: impl Fn(&DecodingKey) -> Result<Map<String, Value>, VerifyError>,
        header: &Header,
    ) -> Result<(Map<String, Value>, SignedBy), VerifyError> {
        let kid = header.kid.as_deref();
        if let Some(keys) = &self.local_keys {
            let keys = keys.snapshot();
            if let Some(key) = keys.key(kid, header.alg) {
                return Ok((check(&key?)?, SignedBy::Local(keys.version()?)));
            }
        }
        let jwks = self.jwks.as_ref().ok_or(VerifyError::Invalid(match self.local_keys {
            Some(_) => "signed by an unknown key",
            None => "its algorithm is not accepted here",
        }))?;
        let keys = jwks.with_key(kid, header.alg).await?;
        Ok((check(&keys.key(kid, header.alg)?)?, SignedBy::Project(keys.version())))
    }

    /// The session of a token that this host's own issuer signed. Tokens of others name sessions that only those know.
    fn session_of(&self, claims: &Claims, signed_by: &SignedBy) -> Option<Arc<Session>> {
        let (Some(sessions), SignedBy::Secret | SignedBy::Local(_)) = (&self.sessions, signed_by) else {
            return None;
        };
        // This host's sessions have uuids; other services that sign with the same secret may name theirs otherwise.
        let id = claims.id("session_id");
        id.map(|id| sessions.hold(id, claims.subject.user))
    }

    fn skew_seconds(&self) -> i64 {
        i64::try_from(self.clock_skew.as_secs()).unwrap_or(i64::MAX)
    }

    fn is_service_key(&self, key: &str) -> bool {
        matches_key(self.service_key.as_deref(), key) | matches_key(self.previous_service_key.as_deref(), key)
    }

    fn is_anon_key(&self, key: &str) -> bool {
        matches_key(self.anon_key.as_deref(), key) | matches_key(self.previous_anon_key.as_deref(), key)
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
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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

    /// A store in which no session lives.
    #[derive(Debug)]
    struct NoSessions;

    impl SessionStore for NoSessions {
        fn is_live(
            &self,
            session: Uuid,
            _: Uuid,
        ) -> BoxFuture<'_, Result<bool, Box<dyn std::error::Error + Send + Sync>>> {
            Box::pin(async move { if session.is_nil() { Err("away".into()) } else { Ok(session == Uuid::max()) } })
        }
    }

    fn of_session(session: &Value) -> String {
        let payload = serde_json::json!({
            "sub": ALICE, "aud": "authenticated", "exp": now() + 60, "session_id": session,
        });
        let header = Header::new(Algorithm::HS256);
        jsonwebtoken::encode(&header, &payload, &EncodingKey::from_secret(SECRET.as_bytes())).expect("a token")
    }

    #[tokio::test]
    async fn a_token_of_a_session_is_accepted_while_the_session_lives() {
        let (plain, service) = verifier();
        let over = of_session(&serde_json::json!(Uuid::from_u128(1)));
        assert!(
            plain.verify(&over).await.is_ok(),
            "sessions of another issuer with the same secret are not known here"
        );
        let verifier = plain.with_sessions(Arc::new(NoSessions));
        for _ in 0..2 {
            let refused = verifier.verify(&over).await;
            assert!(matches!(refused, Err(VerifyError::SessionEnded)), "{refused:?}");
        }
        let unknown = verifier.verify(&of_session(&serde_json::json!(Uuid::nil()))).await;
        assert!(matches!(unknown, Err(VerifyError::SessionsUnavailable)), "{unknown:?}");
        for odd in [serde_json::json!("x"), serde_json::json!(7), serde_json::json!([Uuid::max()])] {
            assert!(verifier.verify(&of_session(&odd)).await.is_ok(), "no session of this host is named so: {odd}");
        }
        let live = of_session(&serde_json::json!(Uuid::max()));
        assert!(verifier.verify(&live).await.is_ok() && verifier.verify(&live).await.is_ok());
        assert!(verifier.verify(&token(|_| ())).await.is_ok(), "a token without a session");
        assert!(verifier.verify(&service).await.is_ok());
        verifier.session_ended(Uuid::max());
        assert!(matches!(verifier.verify(&live).await, Err(VerifyError::SessionEnded)));
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
