//! What was made of a source, as a file: its text in several forms.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use behalf_web::{ApiError, Asker, Path, Query, Routes, routes as group};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::source_id;
use super::text::{self, Form};
use crate::download;
use crate::state::Sources;
use crate::store::{pages, read};

/// What a form that is not made answers, and a page that is not there.
const NO_DERIVATIVE: &str = "Derivative not found";

/// The route.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(download_derivative))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct IndexQuery {
    /// Only the page at this place, counted from 0.
    index: Option<u32>,
}

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Derivative {
    form: Form,
    content_type: &'static str,
    extension: &'static str,
}

impl Derivative {
    fn of(name: &str) -> Option<Self> {
        let (form, content_type, extension) = match name {
            "markdown" => (Form::Plain, "text/markdown; charset=utf-8", "md"),
            "text" => (Form::Plain, "text/plain; charset=utf-8", "txt"),
            "page_texts" => (Form::List, "application/json", "json"),
            _ => return None,
        };
        Some(Self { form, content_type, extension })
    }
}

/// Downloads the text of a source: `markdown`, `text` (the same as plain text), or `page_texts` (a JSON list of pages).
#[utoipa::path(
    get, path = "/api/sources/{source}/derivatives/{derivative}/download", operation_id = "download_source_derivative",
    tag = "Sources",
    params(
        ("source" = String, Path, description = "The source's id."),
        ("derivative" = String, Path, description = "`markdown`, `text` or `page_texts`."), IndexQuery,
    ),
    responses((status = 200, description = "The text", body = String, content_type = "text/markdown"))
)]
async fn download_derivative(
    State(sources): State<Sources>,
    asker: Asker,
    Path((source, derivative)): Path<(String, String)>,
    Query(query): Query<IndexQuery>,
) -> Result<Response, ApiError> {
    let id = source_id(&source)?;
    let file = read::file(&sources, &asker, id).await?;
    let wanted = Derivative::of(&derivative).ok_or_else(|| ApiError::not_found(NO_DERIVATIVE))?;
    let (body, place) = match query.index {
        None => (text::all(&sources, asker, id, wanted.form).await?, String::new()),
        Some(index) => {
            let missing = || ApiError::not_found(NO_DERIVATIVE);
            let page = pages::number_at(&sources, &asker, id, index).await?.ok_or_else(missing)?;
            let text = pages::one(&sources, &asker, id, page).await?.text.ok_or_else(missing)?;
            let text = if wanted.form == Form::List { json!([text]).to_string() } else { text };
            (Body::from(text), format!("-{page}"))
        }
    };
    let name = format!("{}{place}.{}", file.name, wanted.extension);
    Ok((download::headers(&name, wanted.content_type), body).into_response())
}
