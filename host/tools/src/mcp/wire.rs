//! Sends the protocol's messages through the sandbox's way out, which checks addresses and bounds bytes and time. The library's
//! transport decides what is sent; the headers that say who calls are added here, and the library never sees them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use behalf_sandbox::{Outbound, OutboundError, OutboundRequest, OutboundResponse};
use behalf_schema::inexact_number;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::{Sse, SseStream};

/// Bytes of all answers of one connection: a list of tools, or a result with its wrapping.
pub(super) const MAX_BYTES: u64 = 2 * 1024 * 1024;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

type WireError = StreamableHttpError<OutboundError>;

/// The connection of one session with a server, for one caller.
#[derive(Clone)]
pub(super) struct Wire {
    outbound: Outbound,
    uri: Uri,
    own_headers: Arc<HeaderMap>,
    failure: Arc<Mutex<Option<OutboundError>>>,
    rounded: Arc<AtomicBool>,
}

impl Wire {
    pub(super) fn new(outbound: Outbound, uri: Uri, own_headers: HeaderMap) -> Self {
        Self { outbound, uri, own_headers: Arc::new(own_headers), failure: Arc::default(), rounded: Arc::default() }
    }

    /// Whether a number of the server's was rounded when its message was read.
    pub(super) fn has_rounded(&self) -> bool {
        self.rounded.load(Ordering::Relaxed)
    }

    /// Notes a message that is about to be read.
    fn note_numbers(&self, message: &str) {
        if inexact_number(message).is_some() {
            self.rounded.store(true, Ordering::Relaxed);
        }
    }

    /// The first failure on the way, if there was one. The library's own errors say less.
    pub(super) fn failure(&self) -> Option<OutboundError> {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: OutboundError) -> WireError {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        StreamableHttpError::Client(error)
    }

    async fn send(
        &self,
        method: Method,
        body: Bytes,
        session: Option<Arc<str>>,
        more: HashMap<HeaderName, HeaderValue>,
    ) -> Result<OutboundResponse, WireError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.extend(more);
        let mut own_headers = (*self.own_headers).clone();
        if let Some(session) = session {
            let value = HeaderValue::from_str(&session).map_err(|_| self.failed(OutboundError::Failed("protocol")))?;
            own_headers.insert(SESSION, value);
        }
        let request = OutboundRequest { method, uri: self.uri.clone(), headers, own_headers, body };
        self.outbound.send(request).await.map_err(|error| self.failed(error))
    }

    async fn read(&self, response: OutboundResponse) -> Result<Vec<u8>, WireError> {
        let most = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
        response.beginning(most).await.map(|(bytes, _)| bytes).map_err(|error| self.failed(error))
    }

    fn events(&self, response: OutboundResponse) -> BoxStream<'static, Result<Sse, SseError>> {
        let wire = self.clone();
        let pieces = futures::stream::unfold(Some(response), move |state| {
            let wire = wire.clone();
            async move {
                let mut response = state?;
                match response.chunk().await {
                    Ok(Some(bytes)) => Some((Ok(bytes), Some(response))),
                    Ok(None) => None,
                    Err(error) => {
                        wire.failed(error);
                        Some((Err(error), None))
                    }
                }
            }
        });
        let wire = self.clone();
        let note = move |event: Result<Sse, SseError>| {
            if let Some(message) = event.as_ref().ok().and_then(|event| event.data.as_deref()) {
                wire.note_numbers(message);
            }
            event
        };
        SseStream::from_bytes_stream(pieces).map(note).boxed()
    }
}

impl StreamableHttpClient for Wire {
    type Error = OutboundError;

    async fn post_message(
        &self,
        _uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _auth: Option<String>,
        more: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, WireError> {
        let is_request = matches!(message, JsonRpcMessage::Request(_));
        let response = self.send(Method::POST, serde_json::to_vec(&message)?.into(), session, more).await?;
        let session = text_of(&response, &SESSION);
        let kind = text_of(&response, &header::CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let status = response.status;
        if !is_request && status.is_success() {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if status.is_success() && kind == "text/event-stream" {
            return Ok(StreamableHttpPostResponse::Sse(self.events(response), session));
        }
        if kind == "application/json" {
            let body = self.read(response).await?;
            self.note_numbers(&String::from_utf8_lossy(&body));
            let answer = serde_json::from_slice::<ServerJsonRpcMessage>(&body);
            if let Ok(answer) = answer.map_err(|_| ())
                && (status.is_success() || matches!(answer, JsonRpcMessage::Error(_)))
            {
                return Ok(StreamableHttpPostResponse::Json(answer, session));
            }
        }
        let name = match status.as_u16() {
            401 | 403 => "it refuses the caller",
            _ => "protocol",
        };
        Err(self.failed(OutboundError::Failed(name)))
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        session: Arc<str>,
        _auth: Option<String>,
        more: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), WireError> {
        self.send(Method::DELETE, Bytes::new(), Some(session), more).await.map(drop)
    }

    /// The host opens no stream beside the answers, because a session lasts for one call.
    async fn get_stream(
        &self,
        _uri: Arc<str>,
        _session: Option<Arc<str>>,
        _last_event: Option<String>,
        _auth: Option<String>,
        _more: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, WireError> {
        Err(StreamableHttpError::ServerDoesNotSupportSse)
    }
}

fn text_of(response: &OutboundResponse, name: &HeaderName) -> Option<String> {
    response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
