//! Images in another form are not made. Whoever may not read the image hears that first.

use axum::extract::{RawQuery, State};
use behalf_caller_db::FixedSetting;
use behalf_web::{Routes, routes as group};
use http::StatusCode;
use url::form_urlencoded;

use super::object_path::ObjectPath;
use crate::asset::{self, readable};
use crate::caller::{Asker, Stranger};
use crate::error::{StorageError, StorageProblem};
use crate::state::Storage;

const RENDER: &[FixedSetting] = &["SET LOCAL storage.operation = 'storage.render.image_authenticated'"];

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(group!(render_authenticated)).routes(group!(render_public))
}

/// Would show an image in another size, as the caller; this host makes none.
#[utoipa::path(
    get, path = "/storage/v1/render/image/authenticated/{bucket}/{*name}", tag = "Objects", operation_id = "storage_render_authenticated",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "`width`, `height`, `resize`, `quality`, `format`.")),
    responses((status = 501, description = "This host makes no other form of an image", body = StorageProblem),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn render_authenticated(
    State(storage): State<Storage>,
    asker: Asker,
    path: ObjectPath,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, StorageError> {
    check(query.as_deref())?;
    readable(&storage, Some(asker.act(RENDER)), &path.bucket, &path.name).await?;
    Err(not_built())
}

/// Would show an image of a public bucket in another size; this host makes none.
#[utoipa::path(
    get, path = "/storage/v1/render/image/public/{bucket}/{*name}", tag = "Objects", operation_id = "storage_render_public",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "`width`, `height`, `resize`, `quality`, `format`.")),
    responses((status = 501, description = "This host makes no other form of an image", body = StorageProblem),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn render_public(
    State(storage): State<Storage>,
    _: Stranger,
    path: ObjectPath,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, StorageError> {
    check(query.as_deref())?;
    asset::public(&storage, &path.bucket, &path.name).await?;
    Err(not_built())
}

/// Images in another form are not made.
pub(super) fn not_built() -> StorageError {
    StorageError::new(
        501,
        "FeatureNotEnabled",
        "This server does not transform images; download the object as it is, from the same address below /object",
    )
    .answered(StatusCode::NOT_IMPLEMENTED)
}

/// Refuses parameters that no image could have.
pub(super) fn check(query: Option<&str>) -> Result<(), StorageError> {
    let parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    for (name, value) in parameters {
        let number = value.parse::<u32>().ok();
        let wanted = match &*name {
            "width" | "height" if number.is_none() => "a whole number from 0 on",
            "quality" if !number.is_some_and(|quality| (20..=100).contains(&quality)) => {
                "a whole number from 20 to 100"
            }
            "resize" if !matches!(&*value, "cover" | "contain" | "fill") => "cover, contain or fill",
            "format" if !matches!(&*value, "origin" | "avif" | "webp") => "origin, avif or webp",
            _ => continue,
        };
        return Err(StorageError::new(400, "InvalidRequest", format!("querystring/{name} must be {wanted}")));
    }
    Ok(())
}
