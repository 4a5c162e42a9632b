//! Who reads an object.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use behalf_caller_db::FixedSetting;
use behalf_identity::{CallerKey, Principal};
use behalf_problem::Kind;
use behalf_web::{Caller, ClientAddress};
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::error::StorageError;
use crate::state::Storage;
use crate::store::objects::ActAs;

/// Somebody whose token counts, or a stranger: public buckets are open to both.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    principal: Option<Arc<Principal>>,
    client: ClientAddress,
}

/// Somebody who needs no token. Requests are counted by address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stranger;

impl Reader {
    /// As whom statements run, if the token counts.
    pub(crate) fn act_as<'a>(&'a self, settings: &'a [FixedSetting]) -> Option<ActAs<'a>> {
        self.principal.as_deref().map(|principal| act_as(principal, self.client, settings))
    }
}

/// As whom statements of this caller run.
pub(crate) fn act_as<'a>(
    principal: &'a Principal,
    ClientAddress(client): ClientAddress,
    settings: &'a [FixedSetting],
) -> ActAs<'a> {
    ActAs { principal, key: CallerKey::new(principal, client), settings }
}

/// The user of a caller's token, as the token names them.
pub(crate) fn owner(principal: &Principal) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Subject {
        sub: Option<String>,
    }
    serde_json::from_str(principal.claims()).ok().and_then(|Subject { sub }| sub)
}

impl FromRequestParts<Storage> for Reader {
    type Rejection = StorageError;

    async fn from_request_parts(parts: &mut Parts, storage: &Storage) -> Result<Self, StorageError> {
        let has_token = parts.headers.contains_key(AUTHORIZATION) || parts.headers.contains_key("apikey");
        if !has_token {
            Stranger::from_request_parts(parts, storage).await?;
            return Ok(Self { principal: None, client: ClientAddress(None) });
        }
        let principal = match Caller::from_request_parts(parts, storage).await {
            Ok(Caller(principal)) => Some(principal),
            Err(error) if error.kind() == Kind::Unauthorized => None,
            Err(error) => return Err(error.into()),
        };
        let client = parts.extensions.get().copied().unwrap_or(ClientAddress(None));
        Ok(Self { principal, client })
    }
}

impl FromRequestParts<Storage> for Stranger {
    type Rejection = StorageError;

    async fn from_request_parts(parts: &mut Parts, storage: &Storage) -> Result<Self, StorageError> {
        let counted = storage.web.limits.count_stranger(parts);
        counted.map(|()| Self).map_err(|error| behalf_web::ApiError::from(error).into())
    }
}
