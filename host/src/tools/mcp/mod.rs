//! Tools of servers that speak the Model Context Protocol. What a server offers is asked for as the caller, because it may
//! offer each something else; every answer is a stranger's, with bounds.

mod answer;
mod call;
mod discover;
mod manage;
mod name;
mod server;
mod wire;

use serde_json::Value;

use super::definition::ToolInfo;
use super::schema::Schema;
use server::Server;

pub(super) use discover::Discovered;
pub use manage::{McpServerChange, McpServerError};

/// What an operator says of a server's tool: `config.approval` and `config.config_override` of the server hold for all of its tools,
/// those below `config.tools.<name>` for the one that the server calls so.
#[derive(Clone, Debug, PartialEq)]
pub struct Say {
    /// `never`, `writes` or `always`.
    pub approval: String,
    /// Arguments to force, and rules.
    pub config_override: Value,
}

/// A tool of a server, as one caller was offered it.
pub struct McpTool {
    /// As models see it.
    pub info: ToolInfo,
    /// What the operator says of it.
    pub say: Say,
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
