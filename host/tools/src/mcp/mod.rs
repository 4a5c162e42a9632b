//! Tools of servers that speak the Model Context Protocol. The host asks each server for its tools as the caller, because a
//! server may offer each caller other tools. Every answer of a server is untrusted and bounded.

mod answer;
mod client;
mod discovery;
mod error;
mod manage;
mod name;
mod server;
mod session;
mod tool;
mod wire;

pub use error::McpServerError;
pub use manage::{McpServerChange, McpServers, ServerTools};

pub(crate) use client::McpClient;
