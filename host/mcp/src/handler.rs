//! Answers the protocol's requests for one caller: lists the tools and calls them.

use std::net::IpAddr;
use std::sync::Arc;

use behalf_contracts::{CallContext, CallOutcome, ToolInfo};
use behalf_identity::Principal;
use behalf_sandbox::{Progress, Report};
use behalf_telemetry::trace;
use futures::future::Abortable;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, GetPromptRequestParams, GetPromptResponse, Implementation, JsonObject,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span};

use crate::cancellation::{CallRegistry, RequestKey};
use crate::page::page;
use crate::{SourceError, ToolSource, convert, prompts, resources};

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
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build())
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
        let (tools, next_cursor) = page(&self.source.list(&self.principal), request, |info| Some(convert::tool(info)))?;
        Ok(ListToolsResult { next_cursor, ..ListToolsResult::with_all_items(tools) })
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let unknown = || ErrorData::invalid_params(format!("Unknown tool: {}", cut(&request.name)), None);
        let info = self.source.get(&self.principal, &request.name).ok_or_else(unknown)?;
        match self.answer(&info, request.arguments.unwrap_or_default(), &context).await? {
            Err(SourceError::UnknownTool) => Err(unknown()),
            Err(error) => Ok(convert::failure(&error).into()),
            Ok(outcome) => Ok(convert::result(&info, outcome.result.get()).into()),
        }
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let (found, next_cursor) = page(&self.source.list(&self.principal), request, resources::resource)?;
        Ok(ListResourcesResult { next_cursor, ..ListResourcesResult::with_all_items(found) })
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let (found, next_cursor) = page(&self.source.list(&self.principal), request, resources::template)?;
        Ok(ListResourceTemplatesResult { next_cursor, ..ListResourceTemplatesResult::with_all_items(found) })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let data = Some(json!({ "uri": request.uri }));
        let unknown = || ErrorData::resource_not_found("Resource not found", data.clone());
        let tools = self.source.list(&self.principal);
        let (info, arguments) = resources::find(&tools, &request.uri).ok_or_else(unknown)?;
        match self.answer(info, arguments, &context).await? {
            Err(SourceError::UnknownTool) => Err(unknown()),
            Err(SourceError::Failed(text)) => Err(ErrorData::internal_error(text.for_caller().to_owned(), data)),
            Ok(outcome) => match resources::contents(info, &request.uri, outcome.result.get()) {
                Some(contents) => Ok(contents.into()),
                None => Err(ErrorData::internal_error("the resource's tool answered with a link", data)),
            },
        }
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let (found, next_cursor) = page(&self.source.list(&self.principal), request, prompts::prompt)?;
        Ok(ListPromptsResult { next_cursor, ..ListPromptsResult::with_all_items(found) })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let unknown = || ErrorData::invalid_params(format!("Unknown prompt: {}", cut(&request.name)), None);
        let info = self.source.get(&self.principal, &request.name).filter(|info| info.prompt).ok_or_else(unknown)?;
        let arguments = convert::arguments(&info, request.arguments.unwrap_or_default());
        match self.answer(&info, arguments, &context).await? {
            Err(SourceError::UnknownTool) => Err(unknown()),
            Err(SourceError::Failed(text)) => Err(ErrorData::invalid_params(text.for_caller().to_owned(), None)),
            Ok(outcome) => Ok(prompts::messages(&info, outcome.result.get()).into()),
        }
    }
}

impl McpHandler {
    /// The key of the caller's request of this id; none where it cannot be told from a stranger's.
    pub(crate) fn key(&self, id: &str) -> Option<RequestKey> {
        let caller = self.principal.subject().map_or_else(|| self.principal.actor(), |user| user.to_string());
        Some(RequestKey::new(self.bearer.as_ref()?, &caller, id))
    }

    /// Calls a tool, unless the client goes away or cancels.
    async fn answer(
        &self,
        info: &ToolInfo,
        arguments: JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<Result<CallOutcome, SourceError>, ErrorData> {
        let (id, call) = (context.id.to_string(), self.call(info, Value::Object(arguments), context));
        let cancelled = || ErrorData::invalid_request("the request was cancelled", None);
        tokio::select! {
            biased;
            // The client went away.
            () = context.ct.cancelled() => Err(cancelled()),
            answer = self.cancellable(&id, call) => answer.ok_or_else(cancelled),
        }
    }

    async fn call(
        &self,
        info: &ToolInfo,
        arguments: Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallOutcome, SourceError> {
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
        outcome
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
async fn send_reports(peer: &Peer<RoleServer>, blank: &ProgressNotificationParam, mut reports: mpsc::Receiver<Report>) {
    let mut furthest = None;
    while let Some(report) = reports.recv().await {
        // The protocol has no parts of results.
        let Report::Progress(Progress { done, total, message, .. }) = report else { continue };
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

fn cut(name: &str) -> String {
    name.chars().take(100).collect()
}
