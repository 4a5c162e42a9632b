//! Requests that the host itself sends for a caller: custom HTTP tools and MCP servers. They have the same checks, limits
//! and records as a guest's requests; only the destination is chosen by an operator and not by a grant.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use thiserror::Error;
use tokio::sync::Semaphore;
use url::Url;
use wasmtime_wasi_http::{Error as WireError, RequestOptions, WasiBody};

use super::errors::error_name;
use super::grant::HttpMethods;
use super::identity::Identity;
use super::records::{EgressRecord, Records};
use super::secret::CallSecrets;
use super::send::{HttpGrant, Io, MAX_CONNECTIONS, Sender, Waits};
use crate::egress::{Egress, HostPattern, Target};

/// Redirects of one request that are followed.
const MAX_REDIRECTS: usize = 5;

/// The requests of one call of the host's own.
#[derive(Clone, Debug)]
pub struct Outbound {
    egress: Arc<Egress>,
    pub(super) deadline: Instant,
    max_bytes: u64,
    connections: Arc<Semaphore>,
    records: Records,
}

/// A request to send.
#[derive(Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// `http` or `https`, with a host and no user.
    pub uri: Uri,
    /// Headers for every server that is asked, also after a redirect.
    pub headers: HeaderMap,
    /// Headers for the address' own origin alone: the caller's identity, and secrets. They win over `headers`.
    pub own_headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl std::fmt::Debug for OutboundRequest {
    /// Headers and bodies are the caller's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboundRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Why there is no answer, or not all of it. The messages name no address: a model may read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OutboundError {
    /// The address is private or special.
    #[error("its host is in a private network that the operator has not allowed")]
    Prohibited,
    /// The address is of another form.
    #[error("its address is not of the form http(s)://host[:port]/path")]
    Address,
    /// The answer takes too long.
    #[error("it did not answer in time")]
    Timeout,
    /// The answer is too long.
    #[error("it answered with more than {0} bytes")]
    TooLarge(u64),
    /// Too many redirects.
    #[error("it redirects more than {MAX_REDIRECTS} times")]
    Redirects,
    /// A redirect to something that is no address, or from https:// to http://.
    #[error("it redirects to where it may not")]
    Redirect,
    /// Anything else; a short stable name.
    #[error("it cannot be reached ({0})")]
    Failed(&'static str),
}

impl OutboundError {
    /// A short stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prohibited => "address_prohibited",
            Self::Address => "bad_address",
            Self::Timeout => "timeout",
            Self::TooLarge(_) => "response_too_large",
            Self::Redirects | Self::Redirect => "bad_redirect",
            Self::Failed(name) => name,
        }
    }

    fn of(error: &WireError, max_bytes: u64) -> Self {
        match error_name(error) {
            "address_prohibited" => Self::Prohibited,
            "bad_address" => Self::Address,
            "timeout" => Self::Timeout,
            "response_too_large" => Self::TooLarge(max_bytes),
            name => Self::Failed(name),
        }
    }
}

/// An answer. Dropped, it closes its connection.
pub struct OutboundResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: WasiBody,
    max_bytes: u64,
    _connection: Io,
}

impl std::fmt::Debug for OutboundResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboundResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

impl OutboundResponse {
    /// The next piece of the body, none at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| OutboundError::of(&error, self.max_bytes))?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The beginning of the body, up to `bytes`, and whether that is all of it. The rest is not read.
    pub async fn beginning(mut self, bytes: usize) -> Result<(Vec<u8>, bool), OutboundError> {
        let mut read = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            let room = bytes - read.len();
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                return Ok((read, false));
            }
        }
        Ok((read, true))
    }
}

/// The origin of an address as assertions name it (`https://host`, with the port where it is not the scheme's own). The
/// error is for addresses that no request could be sent to.
pub fn origin(uri: &Uri) -> Result<String, OutboundError> {
    Target::of(uri).map(|target| target.origin()).map_err(|_| OutboundError::Address)
}

impl Outbound {
    /// The requests of one call: they end at `deadline`, and no answer is longer than `max_bytes`.
    pub(crate) fn new(egress: Arc<Egress>, deadline: Instant, max_bytes: u64) -> Self {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Self { egress, deadline, max_bytes, connections, records: Records::default() }
    }

    /// The requests that were sent and refused so far.
    pub fn records(&self) -> Vec<EgressRecord> {
        self.records.all()
    }

    /// Sends, and follows redirects: each is looked up and checked like the first, and headers for the first origin alone
    /// are not sent to another.
    pub fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Result<OutboundResponse, OutboundError>> {
        Box::pin(async move {
            let OutboundRequest { mut method, mut uri, mut headers, own_headers, mut body } = request;
            let mut own_headers = Some(own_headers);
            for _ in 0..=MAX_REDIRECTS {
                let target = Target::of(&uri).map_err(|_| OutboundError::Address)?;
                let mut sent = headers.clone();
                sent.extend(own_headers.clone().unwrap_or_default());
                let response = self.send_once(&target, &method, &uri, sent, body.clone()).await?;
                let Some(next) = redirect(&response, &uri) else { return Ok(response) };
                uri = next?;
                let next = Target::of(&uri).map_err(|_| OutboundError::Redirect)?;
                if target.tls && !next.tls {
                    return Err(OutboundError::Redirect);
                }
                if next != target {
                    own_headers = None;
                }
                // As browsers do: only 307 and 308 mean the same request again.
                let again = matches!(response.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
                if !again && method != Method::GET && method != Method::HEAD {
                    method = Method::GET;
                    body = Bytes::new();
                    headers.remove(header::CONTENT_TYPE);
                }
            }
            Err(OutboundError::Redirects)
        })
    }

    async fn send_once(
        &self,
        target: &Target,
        method: &Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<OutboundResponse, OutboundError> {
        let record = Arc::new(self.records.begin(method).ok_or(OutboundError::Failed("too_many_requests"))?);
        let left = self.deadline.saturating_duration_since(Instant::now());
        let sender = Sender {
            grant: HttpGrant {
                hosts: Arc::new([HostPattern::only(target.host.clone(), target.port)]),
                methods: HttpMethods::All,
                // What a server learns of the caller is among the headers already.
                identity: Identity::Unsaid,
                egress: Arc::clone(&self.egress),
                deadline: self.deadline.into(),
                secrets: CallSecrets::default(),
                trial: None,
            },
            body_bytes: self.max_bytes.max(body.len() as u64),
            connections: Arc::clone(&self.connections),
            // An operator's service may take as long as its call lasts.
            waits: Waits { first_byte: left, between_bytes: left },
        };
        let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
        let mut request = Request::builder().method(method).uri(uri).body(body).map_err(|_| OutboundError::Address)?;
        *request.headers_mut() = headers;
        let sent = sender.send(request, RequestOptions::default(), &record, Vec::new()).await;
        let (response, connection) = sent.map_err(|error| {
            record.failed(&error);
            OutboundError::of(&error, self.max_bytes)
        })?;
        let (parts, body) = response.into_parts();
        Ok(OutboundResponse {
            status: parts.status,
            headers: parts.headers,
            body,
            max_bytes: self.max_bytes,
            _connection: connection,
        })
    }
}

/// The address that an answer redirects to, if it redirects.
fn redirect(response: &OutboundResponse, from: &Uri) -> Option<Result<Uri, OutboundError>> {
    if !matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers.get(header::LOCATION)?;
    let next = || {
        let mut next = Url::parse(&from.to_string()).ok()?.join(location.to_str().ok()?).ok()?;
        next.set_fragment(None);
        next.as_str().parse().ok()
    };
    Some(next().ok_or(OutboundError::Redirect))
}
