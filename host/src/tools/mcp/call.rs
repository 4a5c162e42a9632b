use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, Implementation, InitializeRequestParams,
    ListToolsResult, PaginatedRequestParams,
};
use rmcp::service::{RoleClient, RunningService, ServiceError, ServiceExt};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::NeverRetry;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::Value;
use uuid::Uuid;

use super::McpTool;
use super::answer::{cut, read_answer};
use super::wire::{MAX_BYTES, Wire};
use crate::db::Blame;
use crate::identity::Principal;
use crate::sandbox::{CallError, OutboundError};
use crate::tools::call::{CallContext, CallOutcome, Row, ToolCallError};
use crate::tools::outgoing::{failed, from_outbound, subject};
use crate::tools::registry::Tools;

/// How errors name the server.
const SERVER: &str = "the MCP server";
/// How long the end of a session may take: the answer is there already.
const FAREWELL: Duration = Duration::from_secs(2);
/// Characters of a server's own words about an error of the protocol.
const MAX_WORDS: usize = 500;

/// A conversation after its greeting.
pub(super) struct Session(RunningService<RoleClient, InitializeRequestParams>);

/// Greets a server. Nothing is offered to it: it cannot ask the host for a model, for files or for the user.
pub(super) async fn connect(wire: &Wire) -> Result<Session, CallError> {
    let mut config = StreamableHttpClientTransportConfig::with_uri("http://the-wire-knows-where");
    config.retry_config = Arc::new(NeverRetry::default());
    config = config.reinit_on_expired_session(false);
    let transport = StreamableHttpClientTransport::with_client(wire.clone(), config);
    let about = Implementation::new("behalf", env!("CARGO_PKG_VERSION"));
    let greeting = InitializeRequestParams::new(ClientCapabilities::default(), about);
    let greeted = greeting.serve(transport).await;
    greeted.map(Session).map_err(|_| from_wire(wire, "it does not speak the protocol"))
}

impl Session {
    pub(super) async fn list(&self, wire: &Wire, page: PaginatedRequestParams) -> Result<ListToolsResult, CallError> {
        self.0.list_tools(Some(page)).await.map_err(|error| from_service(wire, &error))
    }

    async fn call(&self, wire: &Wire, call: CallToolRequestParams) -> Result<CallToolResult, CallError> {
        self.0.call_tool(call).await.map_err(|error| from_service(wire, &error))
    }

    /// Says good-bye.
    pub(super) async fn end(self) {
        tokio::time::timeout(FAREWELL, self.0.cancel()).await.ok();
    }
}

fn from_wire(wire: &Wire, otherwise: &str) -> CallError {
    match wire.failure() {
        Some(OutboundError::Failed("protocol")) | None => {
            failed("mcp_protocol", format!("{SERVER} cannot be used: {otherwise}"), false)
        }
        Some(error) => from_outbound(error, SERVER, super::discover::PATIENCE),
    }
}

fn from_service(wire: &Wire, error: &ServiceError) -> CallError {
    match error {
        ServiceError::McpError(said) => {
            let words = cut(&said.message.replace(char::is_control, " "), MAX_WORDS);
            failed("mcp_error", format!("{SERVER} answered with error {}: {words}", said.code.0), false)
        }
        _ => from_wire(wire, "its answer cannot be read"),
    }
}

impl Tools {
    /// The tool of this name that one of the agent's servers offers this caller.
    pub(in crate::tools) async fn mcp_tool(
        &self,
        principal: &Principal,
        agent: Uuid,
        name: &str,
    ) -> Result<Arc<McpTool>, ToolCallError> {
        let offered =
            self.mcp_tools(principal, agent).await.map_err(|error| ToolCallError::Unavailable(error.into()))?;
        offered.into_iter().find(|tool| tool.info.name == name).ok_or(ToolCallError::NotFound)
    }

    /// Calls a server's tool as the principal: greeting, call and good-bye, with one audit row.
    pub(in crate::tools) async fn call_mcp(
        &self,
        principal: &Principal,
        tool: &McpTool,
        arguments: Value,
        context: CallContext,
    ) -> Result<CallOutcome, ToolCallError> {
        let text = arguments.to_string();
        let mut row = Row::open(self.db.audit().clone(), principal, &tool.info, None, &text, context);
        let faults = tool.input.faults(&arguments);
        if !faults.is_empty() {
            row.close("invalid_arguments", Some(Blame::Caller), None);
            return Err(ToolCallError::Arguments(faults));
        }
        let server = &tool.server;
        let own = self.own_headers(&server.headers, server.identity, principal, subject(&server.origin, &row));
        row.secure(&self.db, principal).await?;
        let outgoing = self.outgoing(row, server.timeout, MAX_BYTES);
        let own = match own {
            Ok(own) => own,
            Err(error) => return outgoing.finish(Err(error)),
        };
        let wire = Wire::new(outgoing.outbound.clone(), server.uri.clone(), own.headers.clone());
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let call = CallToolRequestParams::new(tool.remote.clone()).with_arguments(arguments);
        let work = async {
            let session = connect(&wire).await?;
            let answered = session.call(&wire, call).await;
            session.end().await;
            read_answer(&answered?, &own)
        };
        let result = tokio::time::timeout(server.timeout, work).await;
        let result = result.unwrap_or(Err(CallError::Deadline(server.timeout)));
        outgoing.finish(result.map_err(|error| own.clean(error)))
    }
}
