//! Who asks: a user, or the service role in its own or a user's name. Delegations and the anon key are refused.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use behalf_identity::{CallerKey, Principal};
use behalf_web::{ApiError, ClientAddress, SignedIn};
use http::request::Parts;

use crate::state::Knowledge;

/// The caller of a request, with the share of the connections that the caller's statements use.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// As whom statements run.
    pub(crate) principal: Arc<Principal>,
    /// Whose share of the connections they use.
    pub(crate) key: CallerKey,
}

impl Asker {
    /// A caller who is in no request.
    pub(crate) fn of(principal: &Arc<Principal>) -> Self {
        Self { principal: Arc::clone(principal), key: CallerKey::new(principal, None) }
    }
}

impl FromRequestParts<Knowledge> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, knowledge: &Knowledge) -> Result<Self, ApiError> {
        let SignedIn(principal) = SignedIn::from_request_parts(parts, knowledge).await?;
        // Known since the caller is.
        let ClientAddress(client) = parts.extensions.get::<ClientAddress>().copied().unwrap_or(ClientAddress(None));
        let key = CallerKey::new(&principal, client);
        Ok(Self { principal, key })
    }
}
