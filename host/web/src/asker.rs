//! Who asks for rows: a user, or the service role in its own or a user's name. Delegations and the anon key are refused.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use behalf_identity::{CallerKey, Principal};
use http::request::Parts;

use crate::error::ApiError;
use crate::extract::{ClientAddress, SignedIn};
use crate::state::Web;

/// The caller of a request, with the share of the connections that the caller's statements use.
#[derive(Clone, Debug)]
pub struct Asker {
    /// As whom statements run.
    pub principal: Arc<Principal>,
    /// Whose share of the connections they use.
    pub key: CallerKey,
}

impl Asker {
    /// A caller who is in no request.
    pub fn of(principal: &Arc<Principal>) -> Self {
        Self { principal: Arc::clone(principal), key: CallerKey::new(principal, None) }
    }
}

impl<S> FromRequestParts<S> for Asker
where
    Web: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let SignedIn(principal) = SignedIn::from_request_parts(parts, state).await?;
        // Known since the caller is.
        let Ok(ClientAddress(client)) = ClientAddress::from_request_parts(parts, state).await;
        let key = CallerKey::new(&principal, client);
        Ok(Self { principal, key })
    }
}
