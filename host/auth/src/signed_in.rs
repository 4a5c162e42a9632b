//! The callers of routes that need one: a signed-in user with a session, or the service role.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use behalf_identity::Principal;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::Value;
use uuid::Uuid;

use crate::error::AuthError;
use crate::session::no_session;
use crate::state::Auth;

/// A user with an access token of a session.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    /// The user's id.
    pub(crate) user: Uuid,
    /// The session; `None` where the token names none, as tokens that were minted for development.
    pub(crate) session: Option<Uuid>,
    /// `aal` of the token: `aal1` or `aal2`.
    pub(crate) aal: String,
}

/// The service role in its own name.
#[derive(Clone, Debug)]
pub(crate) struct Admin(pub(crate) Arc<Principal>);

async fn caller(parts: &mut Parts, auth: &Auth) -> Result<Arc<Principal>, AuthError> {
    if !parts.headers.contains_key(AUTHORIZATION) {
        return Err(AuthError::new(401, "no_authorization", "This endpoint requires a Bearer token"));
    }
    let principal = auth.web.authenticate(parts).await.map_err(|error| match AuthError::from(error) {
        // GoTrue answers 403 to a token that it cannot accept; its clients end the session then.
        refused if refused.status == 401 && refused.message.starts_with("Session from ") => no_session(),
        refused if refused.status == 401 => {
            let message = format!("invalid JWT: unable to parse or verify signature, {}", refused.message);
            AuthError::new(403, "bad_jwt", message)
        }
        other => other,
    })?;
    Ok(principal)
}

impl FromRequestParts<Auth> for SignedIn {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self, AuthError> {
        let principal = caller(parts, auth).await?;
        let user = principal
            .subject()
            .filter(|_| principal.is_user_in_person())
            .ok_or_else(|| AuthError::new(403, "bad_jwt", "invalid claim: missing sub claim"))?;
        let claims: Value = serde_json::from_str(principal.claims()).unwrap_or_default();
        let session = claims["session_id"].as_str().and_then(|id| Uuid::try_parse(id).ok());
        let aal = claims["aal"].as_str().unwrap_or("aal1").to_owned();
        Ok(Self { user, session, aal })
    }
}

impl FromRequestParts<Auth> for Admin {
    type Rejection = AuthError;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self, AuthError> {
        let principal = caller(parts, auth).await?;
        if !principal.is_service() {
            return Err(AuthError::new(403, "not_admin", "User not allowed"));
        }
        Ok(Self(principal))
    }
}
