//! The multipart form of an upload.

use std::collections::HashSet;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use behalf_problem::Kind;
use behalf_sandbox::{GrantError, Grants, MAX_COMPONENT_BYTES};
use behalf_web::ApiError;
use http::StatusCode;
use utoipa::ToSchema;

use crate::cut::cut;
use crate::installer::{Manifest, Upload};
use crate::signature::{Envelope, SignatureError};

/// The fields of the form, each at most once.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for clients; the fields are read one by one")]
pub(super) struct UploadForm {
    /// The component.
    #[schema(value_type = String, format = Binary)]
    component: Vec<u8>,
    /// What it may do, as JSON; nothing where absent.
    grants: Option<String>,
    /// The plugin's name.
    name: Option<String>,
    /// Its version.
    version: Option<String>,
    /// The publisher's signature, a DSSE envelope as JSON.
    signature: Option<String>,
    /// A `plugin.toml`, as `behalf tool pull` writes it: its name, version and grants count where the other fields are absent.
    manifest: Option<String>,
}

/// Reads the form into the upload and its signature.
pub(super) async fn read_form(
    request: Request,
    upload: &mut Upload,
    signature: &mut Option<Envelope>,
) -> Result<(), ApiError> {
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let (mut seen, mut manifest) = (HashSet::new(), None);
    while let Some(field) = form.next_field().await.map_err(refusal)? {
        let name = field.name().unwrap_or_default().to_owned();
        // Of two fields of one name, neither is known to be the one that counts.
        if !seen.insert(name.clone()) {
            return Err(ApiError::bad_request(format!("the field {name:?} was sent twice")));
        }
        if name == "manifest" {
            manifest = Some(read_manifest(&field.text().await.map_err(refusal)?)?);
        } else {
            read_field(&name, field, upload, signature).await?;
        }
    }
    if let Some(manifest) = manifest {
        upload.name.get_or_insert(manifest.name);
        upload.version.get_or_insert(manifest.version);
        if !seen.contains("grants") {
            upload.grants = manifest.grants;
        }
    }
    Ok(())
}

/// Grants are read as those of the field `grants` are.
fn read_manifest(text: &str) -> Result<Manifest, ApiError> {
    let manifest: Manifest = toml::from_str(text)
        .map_err(|error| ApiError::bad_request(format!("manifest: {}", cut(error.message(), 500))))?;
    if !manifest.grants.is_null() {
        Grants::from_json(manifest.grants.clone())?;
    }
    Ok(manifest)
}

async fn read_field(
    name: &str,
    field: Field<'_>,
    upload: &mut Upload,
    signature: &mut Option<Envelope>,
) -> Result<(), ApiError> {
    match name {
        "component" => upload.component = field.bytes().await.map_err(refusal)?.into(),
        "grants" => {
            let text = field.text().await.map_err(refusal)?;
            let wrong = |error: serde_json::Error| GrantError::Form(error.to_string());
            // A key that is there twice is refused here; a JSON value would keep the last one.
            serde_json::from_str::<Option<Grants>>(&text).map_err(wrong)?;
            upload.grants = serde_json::from_str(&text).map_err(wrong)?;
        }
        "signature" => {
            let text = field.bytes().await.map_err(refusal)?;
            *signature = Some(Envelope::read(&text).map_err(SignatureError::from)?);
        }
        "name" => upload.name = Some(field.text().await.map_err(refusal)?),
        "version" => upload.version = Some(field.text().await.map_err(refusal)?),
        other => {
            let name = cut(other, 100);
            return Err(ApiError::bad_request(format!(
                "unknown field {name:?}; send component, grants, name, version, signature, manifest"
            )));
        }
    }
    Ok(())
}

/// The refusal of an upload that is too large.
pub(super) fn too_large() -> ApiError {
    ApiError::new(Kind::TooLarge, format!("a component may have {MAX_COMPONENT_BYTES} bytes"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
fn refusal(error: MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => ApiError::bad_request(error.body_text()),
    }
}
