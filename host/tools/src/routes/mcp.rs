//! The Model Context Protocol over every tool of the host.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use behalf_mcp::ToolSource;
use behalf_web::{ApiError, Caller};

use super::state::ToolsState;

/// Answers a message of the protocol. Offers every tool that the caller can call at `/api/tools`.
#[utoipa::path(
    post,
    path = "/mcp",
    operation_id = "mcp",
    tag = "MCP",
    request_body(content = Value, description = "A JSON-RPC message of the Model Context Protocol"),
    responses(
        (status = 200, description = "A JSON-RPC message, or a stream of them", body = Value),
        (status = 202, description = "The notification is accepted"),
    ),
)]
pub(super) async fn serve(
    State(state): State<ToolsState>,
    caller: Result<Caller, ApiError>,
    request: Request,
) -> Response {
    let source = |Caller(principal)| (principal, Arc::new(state.tools.caller.clone()) as Arc<dyn ToolSource>);
    state.mcp.serve("/mcp", caller.map(source), request).await
}
