//! One session with an MCP server: initialization, requests, end.

use std::sync::Arc;
use std::time::Duration;

use behalf_sandbox::{CallError, OutboundError};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, Implementation, InitializeRequestParams,
    ListToolsResult, PaginatedRequestParams,
};
use rmcp::service::{RoleClient, RunningService, ServiceError, ServiceExt};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::NeverRetry;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

use super::wire::Wire;
use crate::call_failure::{failed, from_outbound};
use crate::cut::cut;

/// How errors name the server.
const SERVER: &str = "the MCP server";
/// How long a server may take to list its tools; the platform's bound.
pub(super) const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the end of a session may take: the answer has arrived already.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// Characters of a server's message about an error of the protocol.
const MAX_MESSAGE_CHARS: usize = 500;

/// An initialized session.
pub(super) struct Session {
    service: RunningService<RoleClient, InitializeRequestParams>,
}

impl Session {
    /// Begins a session. The host offers no capability, so the server cannot ask it for a model, for files or for the user.
    pub(super) async fn connect(wire: &Wire) -> Result<Self, CallError> {
        let mut config = StreamableHttpClientTransportConfig::with_uri("http://the-wire-knows-where");
        config.retry_config = Arc::new(NeverRetry::default());
        config = config.reinit_on_expired_session(false);
        let transport = StreamableHttpClientTransport::with_client(wire.clone(), config);
        let about = Implementation::new("behalf", env!("CARGO_PKG_VERSION"));
        let initialize = InitializeRequestParams::new(ClientCapabilities::default(), about);
        let service = initialize.serve(transport).await;
        let service = service.map_err(|_| from_wire(wire, "it does not speak the protocol"))?;
        Ok(Self { service })
    }

    /// Asks for a page of tools.
    pub(super) async fn list(&self, wire: &Wire, page: PaginatedRequestParams) -> Result<ListToolsResult, CallError> {
        self.service.list_tools(Some(page)).await.map_err(|error| from_service(wire, &error))
    }

    /// Calls a tool.
    pub(super) async fn call(&self, wire: &Wire, call: CallToolRequestParams) -> Result<CallToolResult, CallError> {
        self.service.call_tool(call).await.map_err(|error| from_service(wire, &error))
    }

    /// Ends the session.
    pub(super) async fn end(self) {
        tokio::time::timeout(END_TIMEOUT, self.service.cancel()).await.ok();
    }
}

/// The failure that the wire met; `otherwise` where it met none.
fn from_wire(wire: &Wire, otherwise: &str) -> CallError {
    match wire.failure() {
        Some(OutboundError::Failed("protocol")) | None => {
            failed("mcp_protocol", format!("{SERVER} cannot be used: {otherwise}"), false)
        }
        Some(error) => from_outbound(error, SERVER, LIST_TIMEOUT),
    }
}

fn from_service(wire: &Wire, error: &ServiceError) -> CallError {
    match error {
        ServiceError::McpError(said) => {
            let message = cut(&said.message.replace(char::is_control, " "), MAX_MESSAGE_CHARS);
            failed("mcp_error", format!("{SERVER} answered with error {}: {message}", said.code.0), false)
        }
        _ => from_wire(wire, "its answer cannot be read"),
    }
}
