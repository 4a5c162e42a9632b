//! `wasi:http/outgoing-handler`: requests to granted hosts, each checked, bounded and recorded.

mod body;
mod outbound;
mod send;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::{Request, Response};
use serde::Serialize;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::sandbox::egress::{Egress, HostPattern};
use crate::sandbox::state::CallState;
pub use outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse, origin};
use send::Waits;

/// Requests of one call, refused ones included: a tool is no crawler.
const MAX_REQUESTS: usize = 50;
/// Connections of one call at once; each is a file of this process.
const MAX_CONNECTIONS: usize = 8;
/// A body may be this many times what the tool may return: what is fetched is mostly condensed.
const BODY_PER_OUTPUT: u64 = 8;
/// Characters of a method in a record.
const MAX_METHOD_CHARS: usize = 16;

/// One request of a call, for the audit log. Never path, query, headers or body: those are the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EgressRecord {
    /// The method.
    pub method: String,
    /// The host; empty where the tool gave none that can be read.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why there was no answer, or why it was cut short: a short stable name.
    pub error: Option<&'static str>,
}

/// What one call may do.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct HttpGrant {
    pub(in crate::sandbox) hosts: Arc<[HostPattern]>,
    pub(in crate::sandbox) egress: Arc<Egress>,
    pub(in crate::sandbox) deadline: Instant,
}

/// Outbound HTTP of one call. The default can send nothing.
#[derive(Default)]
pub(in crate::sandbox) struct HttpCtx {
    wasi: WasiHttpCtx,
    hooks: Hooks,
}

impl HttpCtx {
    /// For a tool that may return so many bytes.
    pub(in crate::sandbox) fn new(grant: HttpGrant, output_bytes: usize) -> Self {
        let sender = Arc::new(Sender {
            body_bytes: (output_bytes as u64).saturating_mul(BODY_PER_OUTPUT),
            grant,
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            waits: Waits::GUEST,
        });
        Self { wasi: WasiHttpCtx::new(), hooks: Hooks { sender: Some(sender), records: Records::default() } }
    }

    /// What was sent and refused so far.
    pub(in crate::sandbox) fn records(&self) -> Vec<EgressRecord> {
        self.hooks.records.all()
    }
}

/// What the requests of one call share.
#[derive(Debug)]
struct Sender {
    grant: HttpGrant,
    body_bytes: u64,
    connections: Arc<Semaphore>,
    waits: Waits,
}

#[derive(Clone, Debug, Default)]
struct Records(Arc<Mutex<Vec<EgressRecord>>>);

impl Records {
    fn all(&self) -> Vec<EgressRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a record, while there is room.
    fn begin(&self, method: &http::Method) -> Option<Record> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= MAX_REQUESTS {
            return None;
        }
        let method = method.as_str().chars().take(MAX_METHOD_CHARS).collect();
        records.push(EgressRecord { method, host: String::new(), port: 0, status: None, error: Some("unanswered") });
        Some(Record { all: self.clone(), index: records.len() - 1, closed: AtomicBool::new(false) })
    }
}

/// The record of one request, filled in while it runs.
#[derive(Debug)]
struct Record {
    all: Records,
    index: usize,
    closed: AtomicBool,
}

impl Record {
    fn change(&self, change: impl FnOnce(&mut EgressRecord)) {
        let mut records = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get_mut(self.index) {
            change(record);
        }
    }

    fn failed(&self, error: &Error) {
        // The first failure is the cause of those that follow.
        if !self.closed.swap(true, Ordering::Relaxed) {
            self.change(|record| record.error = Some(error_name(error)));
        }
    }
}

/// WASI's hooks: where a request leaves the guest.
#[derive(Debug, Default)]
struct Hooks {
    sender: Option<Arc<Sender>>,
    records: Records,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Some(sender) = self.sender.clone() else {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        let Some(record) = self.records.begin(request.method()) else {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        Box::new(async move {
            let record = Arc::new(record);
            let sent = sender.send(request, options.unwrap_or_default(), &record).await;
            sent.inspect_err(|error| record.failed(error))
        })
    }

    // What goes wrong on the way is the guest's to handle; the host's log is not the place for it.
    fn p2_error_from_hyper(&mut self, _error: &hyper::Error) -> ErrorCode {
        ErrorCode::HttpProtocolError
    }

    fn p2_error_from_connect(&mut self, _error: &std::io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, _error: &std::io::Error) -> ErrorCode {
        ErrorCode::TlsProtocolError
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (http, table) = self.http_parts();
        WasiHttpCtxView { hooks: &mut http.hooks, table, ctx: &mut http.wasi }
    }
}

/// The names that records use.
fn error_name(error: &Error) -> &'static str {
    match error {
        Error::HttpRequestDenied => "denied",
        Error::DestinationIpProhibited => "address_prohibited",
        Error::HttpRequestUriInvalid => "bad_address",
        Error::HttpRequestMethodInvalid => "bad_method",
        Error::DestinationNotFound | Error::DnsTimeout => "not_found",
        Error::DestinationUnavailable | Error::ConnectionRefused => "unreachable",
        Error::ConnectionTimeout | Error::ConnectionReadTimeout | Error::HttpResponseTimeout => "timeout",
        Error::ConnectionLimitReached => "too_many_connections",
        Error::TlsCertificateError | Error::TlsProtocolError | Error::TlsAlertReceived { .. } => "tls",
        Error::HttpRequestBodySize(_) => "request_too_large",
        Error::HttpResponseBodySize(_) | Error::HttpResponseHeaderSectionSize(_) => "response_too_large",
        Error::ConnectionTerminated | Error::HttpResponseIncomplete => "cut_off",
        Error::ConfigurationError => "host",
        _ => "protocol",
    }
}
