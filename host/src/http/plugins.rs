use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::routing::post;
use http::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Json, Path, Query, ServiceCaller};
use super::routes::Routes;
use super::state::AppState;
use crate::db::PluginChange;
use crate::sandbox::{GrantError, Grants, MAX_COMPONENT_BYTES};
use crate::tools::{Envelope, PluginInfo, SignatureError, Upload};

pub(super) fn router() -> Routes {
    // Room for the multipart frame and the grants beside the component.
    let limit = DefaultBodyLimit::max(MAX_COMPONENT_BYTES + 1024 * 1024);
    Routes::new()
        .on(Method::POST, "/api/plugins", post(upload).layer(limit))
        .get("/api/plugins", list)
        .get("/api/plugins/{id}", show)
        .patch("/api/plugins/{id}", change)
        .delete("/api/plugins/{id}", remove)
}

#[derive(Debug, Default, Deserialize)]
struct UploadQuery {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    replace: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    grants: Option<Value>,
    enabled: Option<bool>,
    settings: Option<Value>,
}

async fn upload(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<(StatusCode, Json<PluginInfo>), ApiError> {
    let mut upload = Upload {
        component: Vec::new(),
        grants: json!({}),
        name: query.name,
        version: query.version,
        replace: query.replace,
    };
    let mut signature = None;
    let multipart =
        request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    if multipart {
        let form =
            Multipart::from_request(request, &()).await.map_err(|error| ApiError::BadRequest(error.body_text()))?;
        read_form(form, &mut upload, &mut signature).await?;
    } else {
        let body = Bytes::from_request(request, &()).await.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => ApiError::BadRequest("the body was cut off".to_owned()),
        })?;
        upload.component = body.into();
    }
    if upload.component.is_empty() {
        return Err(ApiError::BadRequest(
            "there is no component; send it as the body, or as the field `component`".to_owned(),
        ));
    }
    Ok((StatusCode::CREATED, Json(state.tools.register_signed(upload, signature.as_ref()).await?)))
}

async fn read_form(mut form: Multipart, upload: &mut Upload, signature: &mut Option<Envelope>) -> Result<(), ApiError> {
    let bad = |error: axum::extract::multipart::MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => ApiError::BadRequest(error.body_text()),
    };
    let mut seen = HashSet::new();
    while let Some(field) = form.next_field().await.map_err(bad)? {
        // Nobody can say which of two counts.
        if !seen.insert(field.name().unwrap_or_default().to_owned()) {
            return Err(ApiError::BadRequest(format!(
                "the field {:?} was sent twice",
                field.name().unwrap_or_default()
            )));
        }
        match field.name() {
            Some("component") => upload.component = field.bytes().await.map_err(bad)?.into(),
            Some("grants") => {
                let text = field.text().await.map_err(bad)?;
                let wrong = |error: serde_json::Error| GrantError::Form(error.to_string());
                // A field that is there twice is a mistake here, where a JSON value would keep the last.
                serde_json::from_str::<Option<Grants>>(&text).map_err(wrong)?;
                upload.grants = serde_json::from_str(&text).map_err(wrong)?;
            }
            Some("signature") => {
                let text = field.bytes().await.map_err(bad)?;
                *signature = Some(Envelope::read(&text).map_err(SignatureError::from)?);
            }
            Some("name") => upload.name = Some(field.text().await.map_err(bad)?),
            Some("version") => upload.version = Some(field.text().await.map_err(bad)?),
            other => {
                let name: String = other.unwrap_or_default().chars().take(100).collect();
                return Err(ApiError::BadRequest(format!(
                    "unknown field {name:?}; send component, grants, name, version, signature"
                )));
            }
        }
    }
    Ok(())
}

fn too_large() -> ApiError {
    ApiError::TooLarge(format!("a component may have {MAX_COMPONENT_BYTES} bytes"))
}

async fn list(State(state): State<AppState>, _service: ServiceCaller) -> Json<Value> {
    Json(json!({ "plugins": state.tools.plugins() }))
}

async fn show(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Path(id): Path<String>,
) -> Result<Json<PluginInfo>, ApiError> {
    state.tools.plugin(plugin_id(&id)?).map(Json).ok_or(NOT_FOUND)
}

async fn change(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Path(id): Path<String>,
    Json(body): Json<ChangeBody>,
) -> Result<Json<PluginInfo>, ApiError> {
    let change = PluginChange { grants: body.grants, enabled: body.enabled, settings: body.settings };
    Ok(Json(state.tools.change_plugin(plugin_id(&id)?, change).await?))
}

async fn remove(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    state.tools.delete_plugin(plugin_id(&id)?).await?;
    Ok(Json(json!({ "deleted": true })))
}

const NOT_FOUND: ApiError = ApiError::NotFound("Plugin not found");

fn plugin_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| NOT_FOUND)
}
