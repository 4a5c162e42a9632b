//! The text of a source, page by page.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use behalf_web::{ApiError, Asker, Json, Path, Query, Routes, routes as group};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::source_id;
use super::text::{self, Form};
use crate::state::Sources;
use crate::store::pages;

/// The route.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(page_texts))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// The number of one page, from 1 on; all pages where absent.
    page: Option<i32>,
}

/// All pages, or one of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum PageTexts {
    /// All of them, in order.
    #[expect(dead_code, reason = "describes the answer for clients; it is streamed")]
    All {
        /// The text of each page, as Markdown.
        page_texts: Vec<String>,
        /// How many there are.
        count: i64,
    },
    /// One of them.
    One {
        /// Its text, as Markdown.
        text: String,
        /// Its number.
        page: i32,
        /// How many pages there are.
        count: i64,
        /// The name that the document gives it, such as a sheet's.
        name: Option<String>,
    },
}

/// Shows the text that was read out of a source: `page_texts` and `count`, or with `page` the `text` of one page. The answer streams.
#[utoipa::path(
    get, path = "/api/sources/{source}/page-texts", operation_id = "show_source_pages", tag = "Sources",
    params(("source" = String, Path, description = "The source's id."), PageQuery),
    responses((status = 200, description = "The text", body = PageTexts))
)]
async fn page_texts(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let id = source_id(&source)?;
    let Some(page) = query.page else {
        let body = text::all(&sources, asker, id, Form::Counted).await?;
        return Ok(([(CONTENT_TYPE, "application/json")], body).into_response());
    };
    if page < 1 {
        return Err(ApiError::bad_request("page must be a whole number from 1 on"));
    }
    let found = pages::one(&sources, &asker, id, page).await?;
    let text = found.text.ok_or_else(|| ApiError::not_found("Page not found"))?;
    Ok(Json(PageTexts::One { text, page, count: found.count, name: found.name }).into_response())
}
