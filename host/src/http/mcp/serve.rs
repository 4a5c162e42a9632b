use std::borrow::Cow;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::Full;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize;
use serde_json::Value;

use super::face::Face;
use super::in_flight::InFlight;
use super::source::Source;
use super::{PATH, allowed, metadata};
use crate::config::Settings;
use crate::http::error::ApiError;
use crate::http::extract::{Caller, Path, RequestId};
use crate::http::input::{self, SignedIn};
use crate::http::state::AppState;
use crate::identity::{Role, VerifyError};
use crate::tools::ToolInfo;

const NO_AGENT: &str = "Agent not found";

/// Largest request, as elsewhere.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// The first revision without sessions: what its clients send as an id of one has no meaning.
const STATELESS: &str = "2026-07-28";

/// As much of a message as tells a cancellation.
#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    params: Option<Cancelled>,
}

#[derive(Debug, Deserialize)]
struct Cancelled {
    #[serde(rename = "requestId")]
    request_id: Option<Value>,
}

/// Every tool that the caller could call at `/api/tools`.
pub(super) async fn tools_of_host(
    State(state): State<AppState>,
    axum::Extension(calls): axum::Extension<InFlight>,
    caller: Result<Caller, ApiError>,
    RequestId(request_id): RequestId,
    request: Request,
) -> Response {
    let challenge = challenge(&state.settings, request.headers(), PATH);
    let answer = match caller {
        Ok(Caller(principal)) => {
            let face = Face { state, source: Source::Host, principal, request_id, calls, bearer: None };
            serve(face, request).await
        }
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| refuse(error, &challenge))
}

/// The tools of one agent, with its forced arguments and rules. As with its runs, one has to be signed in.
pub(super) async fn tools_of_agent(
    State(state): State<AppState>,
    axum::Extension(calls): axum::Extension<InFlight>,
    caller: Result<SignedIn, ApiError>,
    RequestId(request_id): RequestId,
    Path(agent): Path<String>,
    request: Request,
) -> Response {
    let agent = input::id(&agent, NO_AGENT);
    // Only what is an id is repeated in a header.
    let path = agent.as_ref().map_or_else(|_| PATH.to_owned(), |agent| format!("{PATH}/agents/{agent}"));
    let challenge = challenge(&state.settings, request.headers(), &path);
    let answer = match (caller, agent) {
        (Ok(SignedIn(principal)), Ok(agent)) => match state.agents.tools_of(&principal, agent).await {
            Ok(Some(tools)) => {
                let source = Source::Agent(agent, Arc::new(sorted(tools)));
                serve(Face { state, source, principal, request_id, calls, bearer: None }, request).await
            }
            Ok(None) => Err(ApiError::NotFound(NO_AGENT)),
            Err(error) => Err(error.into()),
        },
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    answer.unwrap_or_else(|error| refuse(error, &challenge))
}

/// Pages go by name.
fn sorted(mut tools: Vec<ToolInfo>) -> Vec<ToolInfo> {
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    tools
}

async fn serve(mut face: Face, request: Request) -> Result<Response, ApiError> {
    if names_a_session(request.headers()) {
        return Err(ApiError::NotFound("there are no sessions here; initialize again and send no Mcp-Session-Id"));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| ApiError::TooLarge("the message is too large, or did not arrive whole".to_owned()))?;
    // The public key is everybody's, so nobody's call could be told from a stranger's.
    let bearer = parts.headers.get(AUTHORIZATION).filter(|_| face.principal.role() != Role::Anon);
    face.bearer = bearer.map(|value| value.as_bytes().to_vec());
    let calls = face.calls.clone();
    let cancelled = cancelled_id(&body).and_then(|id| face.key(&id));
    let config = config(&face.state.settings);
    let service = StreamableHttpService::new(move || Ok(face.clone()), Arc::<NeverSessionManager>::default(), config);
    let response = service.handle(Request::from_parts(parts, Full::new(body))).await.map(Body::new);
    if let Some(key) = cancelled.filter(|_| response.status() == StatusCode::ACCEPTED) {
        calls.cancel(&key);
    }
    Ok(response)
}

fn config(settings: &Settings) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY_BYTES)
        .with_allowed_hosts(allowed::hosts(settings))
        .with_allowed_origins(allowed::origins(settings))
        .enforce_origin_validation()
}

/// No session was ever given out, so one that is named is somebody else's or of another time.
fn names_a_session(headers: &HeaderMap) -> bool {
    let version = headers.get("mcp-protocol-version").and_then(|version| version.to_str().ok());
    headers.contains_key("mcp-session-id") && version.is_none_or(|version| version < STATELESS)
}

/// The request that a message asks to end.
fn cancelled_id(body: &[u8]) -> Option<String> {
    let message: Message<'_> = serde_json::from_slice(body).ok()?;
    if message.method.as_deref() != Some("notifications/cancelled") {
        return None;
    }
    match message.params?.request_id? {
        Value::String(id) => Some(id),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// Where a client that was refused learns how to get a token.
fn challenge(settings: &Settings, headers: &HeaderMap, path: &str) -> String {
    let base = allowed::base_url(settings, headers);
    format!("resource_metadata=\"{base}{}{path}\"", metadata::WELL_KNOWN)
}

fn refuse(error: ApiError, challenge: &str) -> Response {
    let expired = matches!(&error, ApiError::Unauthorized(error) if !matches!(error, VerifyError::Missing));
    let mut response = error.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let reason = if expired { "error=\"invalid_token\", " } else { "" };
        if let Ok(value) = HeaderValue::from_str(&format!("Bearer {reason}{challenge}")) {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
    }
    response
}
