//! A tool of an MCP server, as one caller was offered it.

use behalf_contracts::{AgentTool, ToolInfo};
use behalf_schema::Schema;

use super::server::Server;

/// A tool of a server, as one caller was offered it.
pub(crate) struct McpTool {
    /// The tool as agents see it.
    pub(super) offered: AgentTool,
    /// The server's own name for it.
    pub(super) remote: String,
    pub(super) input: Schema,
    pub(super) server: Server,
}

impl McpTool {
    /// The tool as models see it.
    pub(super) fn info(&self) -> &ToolInfo {
        &self.offered.info
    }
}

impl std::fmt::Debug for McpTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpTool").field("info", self.info()).finish_non_exhaustive()
    }
}
