//! Verifies bearer tokens: users' JWTs, the project's two keys, and delegations.

use std::sync::Arc;
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
use super::mapped::{CurrentForm, SubjectForm};
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
    /// How subjects of mapped users are bound. What is restored is bound alike.
    form: CurrentForm,
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
        let form = CurrentForm::default();
        let seal = PrincipalSeal::new(
            [options.secret.as_deref(), options.service_key.as_deref().map(str::as_bytes)].into_iter().flatten(),
        );
        let seal = seal.binding_as(form.clone());
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
            form,
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

    /// Whether sessions are looked up, and [`Self::session_ended`] therefore has something to do.
    pub fn knows_sessions(&self) -> bool {
        self.sessions.is_some()
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
        self.form.set(form);
    }

    fn subject_form(&self) -> SubjectForm {
        self.form.get()
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
#[path = "verify_tests.rs"]
mod tests;
