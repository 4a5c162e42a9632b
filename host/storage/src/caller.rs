//! Who asks, with failures in the form of `/storage/v1`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use behalf_caller_db::FixedSetting;
use behalf_identity::{CallerKey, Principal, Role};
use behalf_problem::Kind;
use behalf_web::{ApiError, Caller, ClientAddress};
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::error::StorageError;
use crate::state::Storage;
use crate::store::ActAs;

/// The caller of a request, with the caller's share of the host.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    principal: Arc<Principal>,
    key: CallerKey,
}

/// Somebody whose token counts, or a stranger: public buckets are open to both.
#[derive(Clone, Debug)]
pub(crate) struct Reader(Option<Asker>);

/// Somebody who needs no token, with the share of the host of everybody at this address. Requests are counted by address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stranger(pub(crate) CallerKey);

impl Asker {
    /// As whom statements run, in an operation that policies can tell.
    pub(crate) fn act<'a>(&'a self, settings: &'a [FixedSetting]) -> ActAs<'a> {
        ActAs::new(&self.principal, self.key, settings)
    }

    /// Whose an object of this caller's is; nobody's, if the caller is no user.
    pub(crate) fn owner(&self) -> Option<String> {
        self.act(&[]).owner()
    }

    /// The caller.
    pub(crate) fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// Whose share of the host is used.
    pub(crate) fn key(&self) -> CallerKey {
        self.key
    }

    /// Refuses everybody but the service role in its own name.
    pub(crate) fn must_be_service(&self) -> Result<(), StorageError> {
        if self.principal.is_service() { Ok(()) } else { Err(StorageError::wrong_role()) }
    }

    async fn read(parts: &mut Parts, storage: &Storage) -> Result<Self, ApiError> {
        let Caller(principal) = Caller::from_request_parts(parts, storage).await?;
        // Known since the caller is.
        let key = CallerKey::new(&principal, client(parts));
        Ok(Self { principal, key })
    }
}

impl Reader {
    /// As whom statements run, if the token counts.
    pub(crate) fn act<'a>(&'a self, settings: &'a [FixedSetting]) -> Option<ActAs<'a>> {
        self.0.as_ref().map(|asker| asker.act(settings))
    }
}

/// The address of whoever sent the request.
fn client(parts: &Parts) -> Option<std::net::IpAddr> {
    parts.extensions.get::<ClientAddress>().and_then(|ClientAddress(client)| *client)
}

impl FromRequestParts<Storage> for Asker {
    type Rejection = StorageError;

    async fn from_request_parts(parts: &mut Parts, storage: &Storage) -> Result<Self, StorageError> {
        Ok(Self::read(parts, storage).await?)
    }
}

impl FromRequestParts<Storage> for Reader {
    type Rejection = StorageError;

    async fn from_request_parts(parts: &mut Parts, storage: &Storage) -> Result<Self, StorageError> {
        if !parts.headers.contains_key(AUTHORIZATION) && !parts.headers.contains_key("apikey") {
            Stranger::from_request_parts(parts, storage).await?;
            return Ok(Self(None));
        }
        match Asker::read(parts, storage).await {
            Ok(asker) => Ok(Self(Some(asker))),
            Err(error) if error.kind() == Kind::Unauthorized => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }
}

impl FromRequestParts<Storage> for Stranger {
    type Rejection = StorageError;

    async fn from_request_parts(parts: &mut Parts, storage: &Storage) -> Result<Self, StorageError> {
        storage.web.limits.count_stranger(parts).map_err(ApiError::from)?;
        Ok(Self(client(parts).map_or(CallerKey::Role(Role::Anon), CallerKey::Address)))
    }
}
