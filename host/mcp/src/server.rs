//! Answers one POST of the protocol: checks its form, hands it to rmcp, and says where to get a token.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use behalf_identity::{Principal, Role, VerifyError};
use behalf_problem::Kind;
use behalf_web::{ApiError, ClientAddress, RequestId};
use futures::future::BoxFuture;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::Full;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize;
use serde_json::Value;

use crate::accepted::Accepted;
use crate::cancellation::CallRegistry;
use crate::envelope::{self, Fault};
use crate::handler::McpHandler;
use crate::metadata::WELL_KNOWN;
use crate::{McpOptions, ToolSource, numbers};

/// Largest request, as elsewhere.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// The first revision without sessions: its clients' `Mcp-Session-Id` has no meaning.
const STATELESS: &str = "2026-07-28";

const JSON: &str = "application/json";

/// Bytes of a refusal in words.
const MAX_REFUSAL_BYTES: usize = 4 * 1024;

/// The fields of a message that show a cancellation.
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

/// Serves the protocol. Clones share the calls that can be cancelled, so one server is made for all routes.
#[derive(Clone, Debug)]
pub struct McpServer {
    options: Arc<McpOptions>,
    calls: CallRegistry,
}

impl McpServer {
    /// A server that no calls are made at yet.
    pub fn new(options: McpOptions) -> Self {
        Self { options: Arc::new(options), calls: CallRegistry::default() }
    }

    /// Answers a POST at `path`, such as `/mcp`. `access` holds the caller and the tools, or the reason for a refusal; a
    /// refusal with status 401 tells the client where to find the metadata of `path`. So `path` may hold only what is
    /// checked: it is repeated in a header.
    pub fn serve<'a>(
        &'a self,
        path: &'a str,
        access: Result<(Arc<Principal>, Arc<dyn ToolSource>), ApiError>,
        request: Request,
    ) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let challenge = self.challenge(request.headers(), path);
            let answer = match access {
                Ok((principal, _)) if !self.options.accepts(&principal.audiences(), path) => {
                    self.tell_of_unknown_address(request.headers(), &principal, path);
                    Err(VerifyError::Resource.into())
                }
                Ok((principal, source)) => self.answer(principal, source, request).await,
                Err(error) => Err(error),
            };
            answer.unwrap_or_else(|error| refuse(error, &challenge))
        })
    }

    async fn answer(
        &self,
        principal: Arc<Principal>,
        source: Arc<dyn ToolSource>,
        request: Request,
    ) -> Result<Response, ApiError> {
        if names_a_session(request.headers()) {
            return Err(ApiError::not_found("there are no sessions here; initialize again and send no Mcp-Session-Id"));
        }
        let (mut parts, body) = request.into_parts();
        let Some(accepted) = Accepted::read(&parts.headers) else {
            let text = "the answer is application/json, or text/event-stream where that is accepted as well";
            return Ok(Fault::request(StatusCode::NOT_ACCEPTABLE, text).into_response());
        };
        if !is_json(&parts.headers) {
            let text = "send the message with Content-Type: application/json";
            return Ok(Fault::request(StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response());
        }
        let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
            ApiError::new(Kind::TooLarge, "the message is too large, or did not arrive whole".to_owned())
        })?;
        // Before the envelope, which would say of such a number only that it is out of range.
        if let Some(refusal) = numbers::refusal(&body) {
            return Ok(refusal);
        }
        if let Err(fault) = envelope::check(&body, is_stateless(&parts.headers)) {
            return Ok(fault.into_response());
        }
        // Everybody has the public key, so a call made with it cannot be told from a stranger's.
        let bearer = parts.headers.get(AUTHORIZATION).filter(|_| principal.role() != Role::Anon);
        let handler = McpHandler {
            source,
            principal,
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            client: parts.extensions.get::<ClientAddress>().and_then(|client| client.0),
            calls: self.calls.clone(),
            bearer: bearer.map(|value| value.as_bytes().to_vec()),
            sends_events: accepted == Accepted::Events,
        };
        let cancelled = cancelled_id(&body).and_then(|id| handler.key(&id));
        let sessions = Arc::<NeverSessionManager>::default();
        let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, self.config());
        // It wants both to be named. Without reports of progress it answers with JSON.
        parts.headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let response = service.handle(Request::from_parts(parts, Full::new(body))).await.map(Body::new);
        if let Some(key) = cancelled.filter(|_| response.status() == StatusCode::ACCEPTED) {
            self.calls.cancel(&key);
        }
        Ok(as_json(response).await)
    }

    fn config(&self) -> StreamableHttpServerConfig {
        StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(MAX_BODY_BYTES)
            .with_allowed_hosts(self.options.hosts())
            .with_allowed_origins(self.options.origins())
            .enforce_origin_validation()
    }

    /// Says what to set, where a client did all that the metadata told it.
    fn tell_of_unknown_address(&self, headers: &HeaderMap, principal: &Principal, path: &str) {
        if self.options.is_behind_unknown_address(headers, &principal.audiences(), path) {
            tracing::warn!(
                "a token for the address that clients use was refused, because this host does not know the address for its own; \
                 set PUBLIC_URL to it"
            );
        }
    }

    /// Where a client that was refused learns how to get a token.
    fn challenge(&self, headers: &HeaderMap, path: &str) -> String {
        format!("resource_metadata=\"{}{WELL_KNOWN}{path}\"", self.options.base_url(headers))
    }
}

/// The host gives no sessions, so a named one is another host's or of an earlier time.
fn names_a_session(headers: &HeaderMap) -> bool {
    headers.contains_key("mcp-session-id") && !is_stateless(headers)
}

/// Whether the request is of a revision without sessions.
fn is_stateless(headers: &HeaderMap) -> bool {
    let version = headers.get("mcp-protocol-version").and_then(|version| version.to_str().ok());
    version.is_some_and(|version| version >= STATELESS)
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    sent.is_some_and(|sent| sent.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON)))
}

/// The answer as JSON, where it is a refusal in words: of a name or an origin that is not served, or of a message that could not be read
/// after all.
async fn as_json(response: Response) -> Response {
    let status = response.status();
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let text = to_bytes(response.into_body(), MAX_REFUSAL_BYTES).await.unwrap_or_default();
    Fault::request(status, String::from_utf8_lossy(&text)).into_response()
}

/// The id of the request that a message asks to end.
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

fn refuse(error: ApiError, challenge: &str) -> Response {
    let reason = if has_bad_token(&error) { "error=\"invalid_token\", " } else { "" };
    let mut response = error.into_response();
    if response.status() == StatusCode::UNAUTHORIZED
        && let Ok(value) = HeaderValue::from_str(&format!("Bearer {reason}{challenge}"))
    {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// Whether a token was sent and not accepted, for example because it has expired.
fn has_bad_token(error: &ApiError) -> bool {
    let error: &dyn Error = error.problem();
    error.downcast_ref::<VerifyError>().is_some_and(|error| !matches!(error, VerifyError::Missing))
}
