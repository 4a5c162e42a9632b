//! Who calls, with failures in the form of `/storage/v1`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use behalf_identity::Principal;
use behalf_web::Caller;
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
