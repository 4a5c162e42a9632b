//! Outbound HTTP of one call, as WASI's hooks see it.

use std::sync::Arc;

use http::Request;
use tokio::sync::Semaphore;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks};

use super::kept::Kept;
use super::records::{EgressRecord, Records};
use super::send::{HttpGrant, Io, MAX_CONNECTIONS, Sender, Sent, Waits};
use crate::memory::Charge;

/// A body may be this many times as long as the tool's result: most tools condense the data that they fetch.
const BODY_PER_OUTPUT: u64 = 8;

/// Bytes of a body that a guest may write at once. Two such pieces may wait; each is charged until it is sent.
const CHUNK: usize = 64 * 1024;

/// Outbound HTTP of one call. The default can send nothing.
#[derive(Default)]
pub(crate) struct HttpCtx {
    wasi: WasiHttpCtx,
    pub(super) hooks: Hooks,
    pub(super) kept: Kept,
}

impl HttpCtx {
    /// The context of a tool that may return so many bytes.
    pub(crate) fn new(grant: HttpGrant, output_bytes: usize) -> Self {
        let sender = Arc::new(Sender {
            body_bytes: (output_bytes as u64).saturating_mul(BODY_PER_OUTPUT),
            grant,
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            waits: Waits::GUEST,
        });
        Self { hooks: Hooks { sender: Some(sender), ..Hooks::default() }, ..Self::default() }
    }

    /// The context for WASI's own functions, which keep their handles in `table`.
    pub(super) fn wasi_view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { hooks: &mut self.hooks, table, ctx: &mut self.wasi }
    }

    /// The requests that were sent and refused so far.
    pub(crate) fn records(&self) -> Vec<EgressRecord> {
        self.hooks.records.all()
    }
}

/// WASI's hooks, through which a guest's request comes to the host.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    pub(super) sender: Option<Arc<Sender>>,
    records: Records,
    /// The charges of the request that is about to be sent, and of its connection.
    pub(super) charges: Vec<Charge>,
}

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
        let charges = std::mem::take(&mut self.charges);
        Box::new(async move {
            let record = Arc::new(record);
            let sent = sender.send(request, options.unwrap_or_default(), &record, charges).await;
            sent.inspect_err(|error| record.failed(error))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    // The guest handles errors of its requests, so they are not in the host's log.
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
