//! The routes of this feature: tools, plugins, agents' MCP servers, the public keys of assertions, and the Model Context Protocol.

mod mcp;
mod mcp_servers;
mod plugin_secrets;
mod plugins;
mod state;
mod tools;
mod well_known;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use behalf_mcp::McpServer;
use behalf_sandbox::MAX_COMPONENT_BYTES;
use behalf_web::{Recent, Routes, Web, routes as group};

use state::{ToolsParts, ToolsState};

use crate::tools::Tools;

/// Bytes of an upload: a component, and room for the multipart frame, the grants and the signature beside it.
const MAX_UPLOAD_BYTES: usize = MAX_COMPONENT_BYTES + 1024 * 1024;

/// The routes of this feature. `mcp` serves `/mcp`.
pub fn routes(web: Web, tools: Tools, mcp: McpServer) -> Routes {
    let (schemas, paths, plugins) = group!(plugins::list, plugins::upload);
    let plugins = (schemas, paths, plugins.layer(DefaultBodyLimit::max(MAX_UPLOAD_BYTES)));
    Routes::new()
        .routes(group!(tools::list, tools::create))
        .routes(group!(tools::show, tools::change, tools::remove))
        .routes(group!(tools::call))
        .routes(plugins)
        .routes(group!(plugins::restore))
        .routes(group!(plugins::show, plugins::change, plugins::remove))
        .routes(group!(plugin_secrets::list))
        .routes(group!(plugin_secrets::set, plugin_secrets::remove))
        .routes(group!(mcp_servers::list, mcp_servers::create))
        .routes(group!(mcp_servers::change, mcp_servers::remove))
        .routes(group!(mcp_servers::tools))
        .routes(group!(well_known::keys))
        .routes(group!(mcp::serve))
        .with_state(ToolsState(Arc::new(ToolsParts { web, tools, mcp, keys: Recent::new(well_known::AGE) })))
}
