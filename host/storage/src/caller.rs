//! Who calls, with failures in the form of `/storage/v1`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use behalf_identity::{CallerKey, Principal};
use behalf_web::{Caller, ClientAddress};
use http::request::Parts;

use crate::error::StorageError;
use crate::state::Storage;

/// The caller of a request.
#[derive(Debug)]
pub(crate) struct StorageCaller(pub(crate) Caller);

impl StorageCaller {
    /// As whom statements run.
    pub(crate) fn principal(&self) -> &Arc<Principal> {
        &self.0.0
    }
}

impl FromRequestParts<Storage> for StorageCaller {
    type Rejection = StorageError;

    async fn from_request_parts(parts: &mut Parts, storage: &Storage) -> Result<Self, StorageError> {
        Caller::from_request_parts(parts, storage).await.map(Self).map_err(StorageError::from)
    }
}

/// The caller of a request, with the share of the connections that the caller's statements use.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// As whom statements run.
    pub(crate) principal: Arc<Principal>,
    /// Whose share of the connections they use.
    pub(crate) key: CallerKey,
}

impl Asker {
    /// Refuses everybody but the service role in its own name.
    pub(crate) fn must_be_service(&self) -> Result<(), StorageError> {
        if self.principal.is_service() { Ok(()) } else { Err(StorageError::wrong_role()) }
    }
}

impl FromRequestParts<Storage> for Asker {
    type Rejection = StorageError;

    async fn from_request_parts(parts: &mut Parts, storage: &Storage) -> Result<Self, StorageError> {
        let caller = StorageCaller::from_request_parts(parts, storage).await?;
        // Known since the caller is.
        let ClientAddress(client) = parts.extensions.get::<ClientAddress>().copied().unwrap_or(ClientAddress(None));
        let principal = Arc::clone(caller.principal());
        let key = CallerKey::new(&principal, client);
        Ok(Self { principal, key })
    }
}
