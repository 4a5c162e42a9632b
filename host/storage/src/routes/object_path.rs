//! The bucket and the name that a path ends with.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::error::StorageError;

/// The bucket and the name of an object, decoded and not checked. What a path says never becomes a path of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectPath {
    /// The bucket.
    pub(crate) bucket: String,
    /// The name.
    pub(crate) name: String,
}

impl ObjectPath {
    /// The same path in a bucket with this name.
    pub(crate) fn beneath(self, bucket: &str) -> Self {
        Self { bucket: bucket.to_owned(), name: format!("{}/{}", self.bucket, self.name) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ObjectPath {
    type Rejection = StorageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, StorageError> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let wrong =
            |_| StorageError::new(400, "InvalidRequest", "the path is not valid: it has to be UTF-8, percent-encoded");
        path.map(|Path((bucket, name))| Self { bucket, name }).map_err(wrong)
    }
}
