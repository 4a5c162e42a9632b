//! The body of a request: JSON, whatever its content type says, as GoTrue reads it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use behalf_web::Json;
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::error::AuthError;

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = AuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AuthError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => AuthError::new(413, "request_entity_too_large", "Request body too large"),
            _ => AuthError::new(400, "bad_json", "Could not read the request body"),
        })?;
        let Json(body) =
            Json::from_bytes(&bytes).map_err(|error| AuthError { code: "bad_json", ..AuthError::from(error) })?;
        Ok(Self(body))
    }
}
