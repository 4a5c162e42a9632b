//! Who vouches for this resource's callers (RFC 9728), so that a client finds its own way to a token.

use axum::extract::State;
use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;

use super::{PATH, allowed};
use crate::config::Settings;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use crate::http::input;
use crate::http::routes::Routes;
use crate::http::state::AppState;

/// Where RFC 9728 looks; a resource's own path is appended.
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

pub(super) fn router() -> Routes {
    Routes::new()
        .get(WELL_KNOWN, of_host)
        .get("/.well-known/oauth-protected-resource/mcp", of_tools)
        .get("/.well-known/oauth-protected-resource/mcp/agents/{agent}", of_agent)
}

async fn of_host(State(state): State<AppState>, headers: HeaderMap) -> Json<Value> {
    Json(describe(&state.settings, &headers, ""))
}

async fn of_tools(State(state): State<AppState>, headers: HeaderMap) -> Json<Value> {
    Json(describe(&state.settings, &headers, PATH))
}

/// The same for every id: whether there is such an agent is not for strangers to learn.
async fn of_agent(
    State(state): State<AppState>,
    Path(agent): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let agent = input::id(&agent, "Agent not found")?;
    Ok(Json(describe(&state.settings, &headers, &format!("{PATH}/agents/{agent}"))))
}

/// No scopes are named, for none are looked at: what a caller may do, the database says.
fn describe(settings: &Settings, headers: &HeaderMap, path: &str) -> Value {
    let mut about = json!({
        "resource": format!("{}{path}", allowed::base_url(settings, headers)),
        "resource_name": "Behalf",
        "bearer_methods_supported": ["header"],
    });
    // An issuer that is no address is the platform's word for itself, and nobody could go there.
    let issuer = settings
        .jwt_issuer
        .as_ref()
        .filter(|issuer| Url::parse(issuer).is_ok_and(|url| matches!(url.scheme(), "http" | "https")));
    if let (Some(issuer), Value::Object(fields)) = (issuer, &mut about) {
        fields.insert("authorization_servers".to_owned(), json!([issuer]));
    }
    about
}
