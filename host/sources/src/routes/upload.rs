//! Files are uploaded.

use axum::extract::{Request, State};
use behalf_web::{ApiError, Asker, Json, RequestId, Routes, routes as group};
use http::StatusCode;

use crate::state::Sources;
use crate::store::admit::admit;
use crate::upload::{self, Added, UploadForm};

/// The route.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(upload))
}

/// Uploads a document, whose text is read afterwards. A file that the caller has already is refused with 409, which names the source;
/// one whose text could not be read, or that was cancelled, is taken again.
#[utoipa::path(
    post, path = "/api/sources/upload", operation_id = "upload_source", tag = "Sources",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "The source, which waits to be read", body = Added))
)]
async fn upload(
    State(sources): State<Sources>,
    asker: Asker,
    RequestId(request_id): RequestId,
    request: Request,
) -> Result<(StatusCode, Json<Added>), ApiError> {
    let _place = sources.uploads.take(asker.key).await?;
    admit(&sources, &asker.principal, 1).await?;
    // The form's reader is large, and is on the heap so that a request's future is not.
    let file = Box::pin(upload::receive(&sources, request)).await?;
    let added = file.add(&sources, &asker.principal, &request_id).await?;
    Ok((StatusCode::CREATED, Json(added)))
}
