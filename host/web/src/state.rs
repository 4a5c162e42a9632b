//! The state of extractors: the verifier of tokens, the limits, and the database for audit rows.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::MatchedPath;
use behalf_host_db::{AuditAction, AuditEvent, HostDb};
use behalf_identity::{Principal, UserClaims, Verifier, VerifyError};
use behalf_problem::{Kind, Problem as _};
use futures::future::BoxFuture;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::caller_note::CallerNote;
use crate::error::ApiError;
use crate::extract::{ClientAddress, RequestId, header};
use crate::idempotency_key::IdempotencyKeyStore;
use crate::known_tokens::KnownTokens;
use crate::limits::Limits;
use crate::user_claims::{ClaimsSource, UserClaimsStore};

/// The service role made a request for a user.
const ACT_AS_USED: AuditAction = AuditAction::new("act_as.used");
/// A request came with a delegation's token.
const DELEGATION_USED: AuditAction = AuditAction::new("delegation.used");

/// The header by which the service role names the user for whom it acts.
const ACT_AS: &str = "x-behalf-act-as";
/// The header by which it says what is known of that user, as a JSON object.
const ACT_AS_CLAIMS: &str = "x-behalf-act-as-claims";

/// The state that all routes share. A feature's state implements `FromRef` to it. Clones share it: each request makes some, on
/// whichever thread it is served.
#[derive(Clone, Debug)]
pub struct Web(Arc<WebParts>);

/// What all routes share.
#[derive(Debug)]
pub struct WebParts {
    /// Verifies tokens.
    pub verifier: Arc<Verifier>,
    /// Limits the requests of callers.
    pub limits: Arc<Limits>,
    /// Stores idempotency keys.
    pub idempotency: IdempotencyKeyStore,
    /// Keeps what is known of users, for those who act for them.
    pub claims: UserClaimsStore,
    known_tokens: KnownTokens,
    db: HostDb,
}

impl Deref for Web {
    type Target = WebParts;

    fn deref(&self) -> &WebParts {
        &self.0
    }
}

impl Web {
    /// Makes the state; idempotency keys, claims and audit rows are in `db`. What a token said of its user counts for
    /// `claims_max_age`, and the answer to a request with an idempotency key for `kept_days`.
    pub fn new(
        verifier: Arc<Verifier>,
        limits: Arc<Limits>,
        db: HostDb,
        claims_max_age: Duration,
        kept_days: u32,
    ) -> Self {
        let idempotency = IdempotencyKeyStore::new(db.clone(), kept_days);
        let claims = UserClaimsStore::new(db.clone(), claims_max_age);
        Self(Arc::new(WebParts { verifier, limits, idempotency, claims, known_tokens: KnownTokens::new(), db }))
    }

    /// Verifies the request's token and returns its caller, who may be a delegated one. Counts the request against the
    /// caller's limits, and adds an audit row if the caller acts for a user.
    pub fn authenticate<'a>(&'a self, parts: &'a mut Parts) -> BoxFuture<'a, Result<Arc<Principal>, ApiError>> {
        Box::pin(async move {
            let caller = self.caller(parts).await?;
            if let Some(note) = parts.extensions.get::<CallerNote>() {
                note.set(&caller);
            }
            Ok(caller)
        })
    }

    fn caller<'a>(&'a self, parts: &'a mut Parts) -> BoxFuture<'a, Result<Arc<Principal>, ApiError>> {
        Box::pin(async move {
            parts.extensions.insert(ClientAddress(Some(self.limits.client(parts))));
            let principal = self.identify(parts).await?;
            self.limits.count(&principal, parts)?;
            let claims = header(&parts.headers, ACT_AS_CLAIMS)?;
            let Some(user) = header(&parts.headers, ACT_AS)? else {
                if claims.is_some() {
                    return Err(ApiError::bad_request("X-Behalf-Act-As-Claims needs X-Behalf-Act-As"));
                }
                self.claims.keep(&principal).await;
                if principal.delegation().is_some() {
                    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.as_str());
                    self.note_acting(&principal, DELEGATION_USED, request_id, json!({ "route": route(parts) })).await?;
                }
                return Ok(principal);
            };
            // A caller who may not act for others gets that error first, whatever the headers contain.
            principal.may_act()?;
            let user =
                Uuid::try_parse(user).map_err(|_| ApiError::bad_request("X-Behalf-Act-As must be a user's uuid"))?;
            let claims = claims.map(read_claims).transpose()?;
            let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
            let acting = self.acting_for(&principal, user, claims, request_id.as_deref(), &route(parts)).await?;
            Ok(Arc::new(acting))
        })
    }

    /// Verifies the request's token. A request that is refused is counted by its address, before any work is done for it.
    async fn identify(&self, parts: &Parts) -> Result<Arc<Principal>, ApiError> {
        let token = match self.token(&parts.headers) {
            Ok(token) => token,
            Err(error) => {
                self.limits.count_stranger(parts)?;
                return Err(error);
            }
        };
        // A caller who is known here is not kept waiting by strangers at the same address.
        if self.known_tokens.contains(token) {
            let verified = self.verifier.verify(token).await;
            if verified.as_ref().is_err_and(|error| error.kind() != Kind::Unavailable) {
                self.known_tokens.forget(token);
                self.limits.count_stranger(parts)?;
            }
            return Ok(verified?);
        }
        let place = self.limits.stranger_place(parts)?;
        let verified = self.verifier.verify(token).await;
        match &verified {
            Ok(_) => {
                self.known_tokens.add(token);
                place.give_back();
            }
            Err(error) if error.kind() == Kind::Unavailable => place.give_back(),
            Err(_) => {}
        }
        Ok(verified?)
    }

    /// The token that the headers contain. Comparing an `apikey` with the project's two is the only check so far.
    fn token<'a>(&self, headers: &'a HeaderMap) -> Result<&'a str, ApiError> {
        let key = header(headers, "apikey")?;
        if let Some(key) = key {
            self.verifier.check_api_key(key)?;
        }
        let bearer = match header(headers, AUTHORIZATION.as_str())? {
            Some(value) => {
                Some(bearer_token(value).ok_or(VerifyError::Invalid("send it as `Authorization: Bearer …`"))?)
            }
            None => None,
        };
        Ok(bearer.or(key).ok_or(VerifyError::Missing)?)
    }

    /// Makes the principal of a request for `user`, after it has added an audit row with the `route`. The principal has the
    /// `claims` that the service role sent; where it sent none, what the project's `auth.users` or else the user's latest
    /// token says.
    pub fn acting_for<'a>(
        &'a self,
        caller: &'a Principal,
        user: Uuid,
        claims: Option<UserClaims>,
        request_id: Option<&'a str>,
        route: &'a str,
    ) -> BoxFuture<'a, Result<Principal, ApiError>> {
        Box::pin(async move {
            caller.may_act()?;
            let (claims, source) = match claims {
                Some(claims) => (claims, ClaimsSource::Request),
                None => self.claims.of_user(user).await?,
            };
            let acting = self.verifier.act_as(caller, user, &claims)?;
            let details = json!({ "route": route, "claims": source.as_str() });
            self.note_acting(&acting, ACT_AS_USED, request_id, details).await?;
            Ok(acting)
        })
    }

    async fn note_acting(
        &self,
        principal: &Principal,
        action: AuditAction,
        request_id: Option<&str>,
        details: Json,
    ) -> Result<(), sqlx::Error> {
        AuditEvent { details, ..AuditEvent::new(action, principal, request_id) }.record(&self.db, principal).await
    }
}

fn read_claims(text: &str) -> Result<UserClaims, ApiError> {
    let wrong = |why: &dyn std::fmt::Display| ApiError::bad_request(format!("X-Behalf-Act-As-Claims: {why}"));
    let claims = serde_json::from_str(text).map_err(|_| wrong(&"claims must be a JSON object"))?;
    UserClaims::read(claims).map_err(|error| wrong(&error))
}

/// The route for the audit log: its pattern, which contains no ids.
fn route(parts: &Parts) -> String {
    let path = parts.extensions.get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    format!("{} {path}", parts.method)
}

fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
