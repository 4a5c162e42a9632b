//! Answers the protocol's requests for one caller: lists the tools and calls them.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_contracts::{CallContext, ToolInfo};
use behalf_identity::Principal;
use behalf_sandbox::Progress;
use behalf_telemetry::trace;
use futures::future::Abortable;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span};

use crate::cancellation::{CallRegistry, RequestKey};
use crate::{SourceError, ToolSource, convert};

/// Tools of one page.
const PAGE: usize = 50;
/// Reports that wait to be sent.
const REPORTS: usize = 16;

/// The tools of one request's caller.
#[derive(Clone, Debug)]
pub(crate) struct McpHandler {
    pub(crate) source: Arc<dyn ToolSource>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) request_id: String,
    /// The address that it came from.
    pub(crate) client: Option<IpAddr>,
    pub(crate) calls: CallRegistry,
    /// The token that was sent; absent where strangers share it.
    pub(crate) bearer: Option<Vec<u8>>,
    /// Whether the client takes a stream of events, and so reports of progress.
    pub(crate) sends_events: bool,
}

impl ServerHandler for McpHandler {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("behalf", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions("Each tool acts on behalf of whoever's token the request carries, with their rights.")
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.source.get(&self.principal, name).map(|info| convert::tool(&info))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        page(&self.source.list(&self.principal), request.and_then(|request| request.cursor).as_deref())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let unknown = || ErrorData::invalid_params(format!("Unknown tool: {}", cut(&request.name)), None);
        let info = self.source.get(&self.principal, &request.name).ok_or_else(unknown)?;
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let (id, call) = (context.id.to_string(), self.call(&info, arguments, &context));
        let cancelled = || ErrorData::invalid_request("the request was cancelled", None);
        let answer = tokio::select! {
            biased;
            // The client went away.
            () = context.ct.cancelled() => return Err(cancelled()),
            answer = self.cancellable(&id, call) => answer.ok_or_else(cancelled)?,
        };
        match answer {
            Err(SourceError::UnknownTool) => Err(unknown()),
            Err(error) => Ok(convert::failure(&error).into()),
            Ok(result) => Ok(result.into()),
        }
    }
}

impl McpHandler {
    /// The key of the caller's request of this id; none where it cannot be told from a stranger's.
    pub(crate) fn key(&self, id: &str) -> Option<RequestKey> {
        let caller = self.principal.subject().map_or_else(|| self.principal.actor(), |user| user.to_string());
        Some(RequestKey::new(self.bearer.as_ref()?, &caller, id))
    }

    async fn call(
        &self,
        info: &ToolInfo,
        arguments: Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, SourceError> {
        let (progress, reports) = match context.meta.get_progress_token().filter(|_| self.sends_events) {
            Some(token) => {
                let (progress, reports) = mpsc::channel(REPORTS);
                (Some(progress), Some((token, reports)))
            }
            None => (None, None),
        };
        let call_context =
            CallContext { request_id: Some(self.request_id.clone()), client: self.client, ..CallContext::default() };
        let work = self.source.call(&self.principal, &info.name, arguments, call_context, progress);
        let work = work.instrument(span_of(context));
        let report = async {
            if let Some((token, reports)) = reports {
                send_reports(&context.peer, &ProgressNotificationParam::new(token, 0.0), reports).await;
            }
        };
        let (outcome, ()) = tokio::join!(work, report);
        outcome.map(|outcome| convert::result(info, outcome.result.get()))
    }

    /// None where the caller sent `notifications/cancelled`. Dropping the call ends the guest and rolls back.
    async fn cancellable<T>(&self, id: &str, call: impl Future<Output = T>) -> Option<T> {
        let Some(key) = self.key(id) else { return Some(call.await) };
        let (_entry, registration) = self.calls.enter(key);
        Abortable::new(call, registration).await.ok()
    }
}

/// The span of a call: under the one that the message names in `_meta`, or else under its request's.
fn span_of(context: &RequestContext<RoleServer>) -> Span {
    let span = tracing::info_span!(target: trace::TARGET, "tools/call");
    if let Some(traceparent) = context.meta.get_traceparent() {
        trace::continue_from_fields(&span, traceparent, context.meta.get_tracestate());
    }
    span
}

/// Sends a call's reports of progress. The protocol wants each to be further than the one before; others are left out.
async fn send_reports(
    peer: &Peer<RoleServer>,
    blank: &ProgressNotificationParam,
    mut reports: mpsc::Receiver<Progress>,
) {
    let mut furthest = None;
    while let Some(Progress { done, total, message, .. }) = reports.recv().await {
        if furthest.is_some_and(|furthest| done <= furthest) {
            continue;
        }
        furthest = Some(done);
        let mut report = blank.clone();
        report.progress = number(done);
        report.total = total.map(number);
        report.message = message;
        // A client that no longer listens ends the request, which is noticed elsewhere.
        peer.notify_progress(report).await.ok();
    }
}

/// Exact up to 2⁵³, which no count of steps reaches.
#[expect(clippy::cast_precision_loss, reason = "the protocol's numbers are floats")]
fn number(count: u64) -> f64 {
    count as f64
}

/// The tools after the one that the cursor names, in order of their names.
fn page(tools: &[ToolInfo], cursor: Option<&str>) -> Result<ListToolsResult, ErrorData> {
    let after = cursor.map(read_cursor).transpose()?;
    let rest: Vec<_> = tools.iter().filter(|tool| after.as_ref().is_none_or(|after| tool.name > *after)).collect();
    let listed = rest.iter().take(PAGE).map(|info| convert::tool(info)).collect();
    let mut page = ListToolsResult::with_all_items(listed);
    let last = rest.get(PAGE - 1).filter(|_| rest.len() > PAGE);
    page.next_cursor = last.map(|tool| URL_SAFE_NO_PAD.encode(&tool.name));
    Ok(page)
}

fn read_cursor(cursor: &str) -> Result<String, ErrorData> {
    let name = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| ErrorData::invalid_params("this cursor is not one that tools/list gave", None))
}

fn cut(name: &str) -> String {
    name.chars().take(100).collect()
}
