//! The body of a request: JSON, with failures in the form of `/storage/v1`.

use axum::extract::{FromRequest, Request};
use behalf_web::Json;
use serde::de::DeserializeOwned;

use crate::error::StorageError;

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = StorageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, StorageError> {
        let Json(body) = Json::from_request(request, state).await?;
        Ok(Self(body))
    }
}
