//! The routes under `/api/sources`, a file for each kind of request.

mod derivative;
mod events;
mod file;
mod import_object;
mod import_url;
mod list;
mod page_texts;
mod reading;
mod source;
mod text;
mod upload;

use std::future::ready;

use axum::response::IntoResponse as _;
use behalf_problem::Kind;
use behalf_web::{ApiError, Routes, input};
use uuid::Uuid;

use crate::error::NO_SOURCE;
use crate::state::Sources;

/// The routes of the feature.
pub fn routes(sources: Sources) -> Routes {
    Routes::new()
        .merge(list::routes())
        .merge(upload::routes())
        .merge(import_url::routes())
        .merge(import_object::routes())
        .merge(source::routes())
        .merge(page_texts::routes())
        .merge(file::routes())
        .merge(derivative::routes())
        .merge(reading::routes())
        .merge(events::routes())
        .with_state(sources)
}

/// The routes where sources are not served here; `there` is the address where they are.
pub fn elsewhere(there: Option<&str>) -> Routes {
    let message = match there {
        Some(there) => format!("this host does not serve /api/sources; it is at {there}"),
        None => "this host does not serve /api/sources".to_owned(),
    };
    let answer = move || ready(ApiError::new(Kind::NotFound, message.clone()).into_response());
    Routes::new()
        .route("/api/sources", axum::routing::any(answer.clone()))
        .route("/api/sources/{*rest}", axum::routing::any(answer))
}

/// The id in a path; any other text names no source.
fn source_id(text: &str) -> Result<Uuid, ApiError> {
    input::id(text, NO_SOURCE)
}
