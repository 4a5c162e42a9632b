//! `OPTIONS`: what a table or function takes.

use axum::response::{IntoResponse, Response};
use behalf_rest_plan::{SchemaCache, Target};
use http::StatusCode;
use http::header::ALLOW;

use crate::error::Failure;

/// The header `Allow` of a target, or why there is none.
pub(crate) fn answer(cache: &SchemaCache, schema: &str, target: Target<'_>) -> Result<Response, Failure> {
    let allowed = cache.allow(schema, target)?;
    Ok((StatusCode::OK, [(ALLOW, allowed)]).into_response())
}
