//! Whether the feature works.

use axum::Json;
use axum::extract::State;
use behalf_web::{Routes, routes};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Asker;
use crate::error::StorageProblem;
use crate::state::Storage;

/// Whether the database answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageHealth)]
struct Health {
    /// Whether it does.
    healthy: bool,
}

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(routes!(status)).routes(routes!(version)).routes(routes!(health))
}

/// That the host answers.
#[utoipa::path(
    get, path = "/storage/v1/status", tag = "Objects", operation_id = "storage_status", security(()),
    responses((status = 200, description = "It answers"))
)]
async fn status() -> StatusCode {
    StatusCode::OK
}

/// The version of this host.
#[utoipa::path(
    get, path = "/storage/v1/version", tag = "Objects", operation_id = "storage_version", security(()),
    responses((status = 200, description = "The version", body = String))
)]
async fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Whether the database answers.
#[utoipa::path(
    get, path = "/storage/v1/health", tag = "Objects", operation_id = "storage_health",
    responses((status = 200, description = "Whether it does", body = Health),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn health(State(storage): State<Storage>, _asker: Asker) -> Json<Health> {
    Json(Health { healthy: storage.db.answers().await })
}
