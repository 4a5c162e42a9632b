//! Tools of servers that speak the Model Context Protocol. What a server offers is asked for as the caller, because it may
//! offer each something else; every answer is a stranger's, with bounds.

mod answer;
mod call;
mod discover;
mod manage;
mod name;
mod server;
mod wire;

use super::definition::ToolInfo;
use super::schema::Schema;
use server::Server;

pub(super) use discover::Discovered;
pub use manage::{McpServerChange, McpServerError};

/// A tool of a server, as one caller was offered it.
pub struct McpTool {
    /// As models see it.
    pub info: ToolInfo,
    /// As the server calls it.
    remote: String,
    input: Schema,
    server: Server,
}

impl std::fmt::Debug for McpTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpTool").field("info", &self.info).finish_non_exhaustive()
    }
}
