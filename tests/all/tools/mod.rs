//! Tools: plugins that are uploaded, custom HTTP tools, and tools of MCP servers.

mod custom_tools;
mod mcp_servers;
mod plugins;
mod uploads;
