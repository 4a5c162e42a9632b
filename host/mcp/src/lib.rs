//! The server side of the Model Context Protocol (MCP) over streamable HTTP, for any set of tools.
//!
//! A feature implements [`ToolSource`] for the tools that it wants to offer and mounts a POST route whose handler calls
//! [`McpServer::serve`]. Imports foundations only and knows no feature.
//!
//! Every request brings its own bearer token, which is verified as those of `/api` are. Nothing is kept from one request to
//! the next, so there is no session that somebody else could resume or end.

mod accepted;
mod cancellation;
mod convert;
mod envelope;
mod handler;
mod metadata;
mod numbers;
mod options;
mod page;
mod prompts;
mod resources;
mod server;
mod source;

pub use metadata::{ProtectedResource, metadata_routes};
pub use options::McpOptions;
pub use server::McpServer;
pub use source::{SourceError, ToolSource};
