//! The state of extractors: the verifier of tokens, the limits, and the database for audit rows.

use std::sync::Arc;

use axum::extract::MatchedPath;
use behalf_host_db::{AuditAction, AuditEvent, HostDb};
use behalf_identity::{Principal, Verifier, VerifyError};
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use uuid::Uuid;

use crate::error::ApiError;
use crate::extract::{RequestId, header};
use crate::idempotency_key::IdempotencyKeyStore;
use crate::limits::Limits;

/// The service role made a request for a user.
const ACT_AS_USED: AuditAction = AuditAction::new("act_as.used");
/// A request came with a delegation's token.
const DELEGATION_USED: AuditAction = AuditAction::new("delegation.used");

/// The state that all routes share. A feature's state implements `FromRef` to it.
#[derive(Clone, Debug)]
pub struct Web {
    /// Verifies tokens.
    pub verifier: Arc<Verifier>,
    /// Limits the requests of callers.
    pub limits: Arc<Limits>,
    /// Stores idempotency keys.
    pub idempotency: IdempotencyKeyStore,
    db: HostDb,
}

impl Web {
    /// Makes the state; idempotency keys and audit rows are in `db`.
    pub fn new(verifier: Arc<Verifier>, limits: Arc<Limits>, db: HostDb) -> Self {
        Self { verifier, limits, idempotency: IdempotencyKeyStore::new(db.clone()), db }
    }

    /// Verifies the request's token and returns its caller, who may be a delegated one. Counts the request against the
    /// caller's limits, and adds an audit row if the caller acts for a user.
    pub fn authenticate<'a>(&'a self, parts: &'a mut Parts) -> BoxFuture<'a, Result<Arc<Principal>, ApiError>> {
        Box::pin(async move {
            let key = header(&parts.headers, "apikey")?;
            if let Some(key) = key {
                self.verifier.check_api_key(key)?;
            }
            let bearer = match header(&parts.headers, AUTHORIZATION.as_str())? {
                Some(value) => {
                    Some(bearer_token(value).ok_or(VerifyError::Invalid("send it as `Authorization: Bearer …`"))?)
                }
                None => None,
            };
            let token = bearer.or(key).ok_or(VerifyError::Missing)?;
            let principal = match self.verifier.verify(token).await {
                Ok(principal) => principal,
                Err(error) => {
                    // Requests with invalid tokens are limited by address, which slows guessing down.
                    self.limits.count_stranger(parts)?;
                    return Err(error.into());
                }
            };
            self.limits.count(&principal, parts)?;
            let Some(user) = header(&parts.headers, "x-behalf-act-as")? else {
                if principal.delegation().is_some() {
                    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.as_str());
                    self.note_acting(&principal, DELEGATION_USED, request_id, &route(parts)).await?;
                }
                return Ok(principal);
            };
            let user =
                Uuid::try_parse(user).map_err(|_| ApiError::bad_request("X-Behalf-Act-As must be a user's uuid"));
            // A caller who may not act for others gets that error first, whatever the header contains.
            if !principal.is_service() {
                principal.act_as(Uuid::nil())?;
            }
            let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
            let acting = self.acting_for(&principal, user?, request_id.as_deref(), &route(parts)).await?;
            Ok(Arc::new(acting))
        })
    }

    /// Makes the principal of a request for `user`, after it has added an audit row with the `route`.
    pub fn acting_for<'a>(
        &'a self,
        caller: &'a Principal,
        user: Uuid,
        request_id: Option<&'a str>,
        route: &'a str,
    ) -> BoxFuture<'a, Result<Principal, ApiError>> {
        Box::pin(async move {
            let acting = caller.act_as(user)?;
            self.note_acting(&acting, ACT_AS_USED, request_id, route).await?;
            Ok(acting)
        })
    }

    async fn note_acting(
        &self,
        principal: &Principal,
        action: AuditAction,
        request_id: Option<&str>,
        route: &str,
    ) -> Result<(), sqlx::Error> {
        let details = serde_json::json!({ "route": route });
        AuditEvent { details, ..AuditEvent::new(action, principal, request_id) }.record(&self.db, principal).await
    }
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
