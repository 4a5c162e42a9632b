//! `OPTIONS`: what a table or function takes.

use axum::response::{IntoResponse, Response};
use behalf_rest_plan::{SchemaCache, Target, allowed};
use http::StatusCode;
use http::header::ALLOW;

use crate::error::Failure;

/// The header `Allow` of a target in the schema of `profile`, or why there is none.
pub(crate) fn answer(cache: &SchemaCache, profile: Option<&str>, target: Target<'_>) -> Result<Response, Failure> {
    let allowed = allowed(cache, target, profile)?;
    Ok((StatusCode::OK, [(ALLOW, allowed.0)]).into_response())
}
