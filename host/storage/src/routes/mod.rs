//! The routes under `/storage/v1`, a file for each kind of request.

mod buckets;
mod download;
mod health;
mod info;
mod kept_metadata;
mod lenient;
mod list;
mod move_copy;
mod object_path;
mod public;
mod remove;
mod render;
mod resumable;
mod sign;
mod signed;
mod upload;

use std::future::ready;

use axum::response::IntoResponse;
use behalf_web::Routes;

use crate::error::StorageError;
use crate::state::Storage;

/// The routes of the feature.
pub fn routes(storage: Storage) -> Routes {
    Routes::new()
        .merge(buckets::routes())
        .merge(download::routes())
        .merge(health::routes())
        .merge(info::routes())
        .merge(list::routes())
        .merge(move_copy::routes())
        .merge(public::routes())
        .merge(remove::routes())
        .merge(render::routes())
        .merge(resumable::routes())
        .merge(sign::routes())
        .merge(signed::routes())
        .merge(upload::routes())
        .with_state(storage)
}

/// The routes where `/storage/v1` is not served here; `there` is the address where it is.
pub fn elsewhere(there: Option<&str>) -> Routes {
    let message = match there {
        Some(there) => format!("this host does not serve /storage/v1; it is at {there}"),
        None => "this host does not serve /storage/v1".to_owned(),
    };
    let answer = move || {
        let error = StorageError::new(404, "NotFound", message.clone()).answered(http::StatusCode::NOT_FOUND);
        ready(error.into_response())
    };
    Routes::new()
        .route("/storage/v1", axum::routing::any(answer.clone()))
        .route("/storage/v1/", axum::routing::any(answer.clone()))
        .route("/storage/v1/{*rest}", axum::routing::any(answer))
}
