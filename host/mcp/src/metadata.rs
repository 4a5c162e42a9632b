//! The metadata of the protected resources (RFC 9728): where a client gets a token for `/mcp` and `/mcp/agents/{agent}`.

use std::sync::Arc;

use axum::extract::State;
use behalf_web::{ApiError, Json, Path, Routes, input, routes};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::McpOptions;

/// Where RFC 9728 looks; a resource's own path is appended.
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A resource that takes bearer tokens, and where they come from. It names no scopes, because none are looked at: the
/// database's policies say what a caller may do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProtectedResource {
    /// The resource's address.
    resource: String,
    /// Its name for people.
    resource_name: &'static str,
    /// How a token is sent.
    bearer_methods_supported: [&'static str; 1],
    /// Who issues tokens; absent where the issuer has no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_servers: Option<Vec<String>>,
}

impl ProtectedResource {
    fn new(options: &McpOptions, headers: &HeaderMap, path: &str) -> Self {
        Self {
            resource: format!("{}{path}", options.base_url(headers)),
            resource_name: "Behalf",
            bearer_methods_supported: ["header"],
            authorization_servers: options.authorization_server().map(|issuer| vec![issuer.to_owned()]),
        }
    }
}

/// The routes that describe the protected resources. They are open to everybody.
pub fn metadata_routes(options: McpOptions) -> Routes {
    Routes::new()
        .routes(routes!(of_host))
        .routes(routes!(of_tools))
        .routes(routes!(of_agent))
        .with_state(Arc::new(options))
}

/// Describes the host as a protected resource.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource",
    operation_id = "describe_resource",
    tag = "MCP",
    security(()),
    responses((status = 200, description = "Where a token for this host comes from", body = ProtectedResource))
)]
async fn of_host(State(options): State<Arc<McpOptions>>, headers: HeaderMap) -> Json<ProtectedResource> {
    Json(ProtectedResource::new(&options, &headers, ""))
}

/// Describes `/mcp` as a protected resource.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource/mcp",
    operation_id = "describe_mcp_resource",
    tag = "MCP",
    security(()),
    responses((status = 200, description = "Where a token for `/mcp` comes from", body = ProtectedResource))
)]
async fn of_tools(State(options): State<Arc<McpOptions>>, headers: HeaderMap) -> Json<ProtectedResource> {
    Json(ProtectedResource::new(&options, &headers, "/mcp"))
}

/// Describes `/mcp/agents/{agent}` as a protected resource. The answer is the same for every id: strangers do not learn
/// whether there is such an agent.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource/mcp/agents/{agent}",
    operation_id = "describe_agent_mcp_resource",
    tag = "MCP",
    security(()),
    params(("agent" = String, Path, description = "The agent's id")),
    responses((status = 200, description = "Where a token for the agent's tools comes from", body = ProtectedResource))
)]
async fn of_agent(
    State(options): State<Arc<McpOptions>>,
    Path(agent): Path<String>,
    headers: HeaderMap,
) -> Result<Json<ProtectedResource>, ApiError> {
    let agent = input::id(&agent, "Agent not found")?;
    Ok(Json(ProtectedResource::new(&options, &headers, &format!("/mcp/agents/{agent}"))))
}
