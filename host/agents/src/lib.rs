//! Lets a model call tools on behalf of a principal.
//!
//! Owns agents, their tools and knowledge bases, sessions, runs from their start to their end, events, leases,
//! approvals, feedback and agents' own keys for model providers, with their tables and their routes below `/api`, `/v1`
//! and `/mcp/agents`. Imports foundations only; what it needs of other features it asks through `behalf-contracts`.
//! Never does: call a tool as anybody but the run's principal, or with a tool that the agent was not given; hold a
//! database connection while a model or a tool works; keep anything only in memory that a client was told.

mod agents;
mod assignment;
mod direct;
mod ids;
mod knowledge;
mod mcp;
mod openai;
mod provider_access;
mod routes;
mod run;
mod settings;
mod state;
mod store;
mod subagent_tool;
mod text;
mod toolbox;

use std::sync::Arc;

use behalf_mcp::McpServer;
use behalf_web::{Routes, Web};

pub use agents::{Agents, AgentsOptions, AgentsParts};
pub use store::{ResealError, RunLimits, SealedSecrets};

/// Every route of this feature. `mcp` serves the tools of each agent over the Model Context Protocol.
pub fn routes(agents: Arc<Agents>, web: Web, mcp: McpServer) -> Routes {
    let state = state::AgentsState { agents, mcp, web };
    Routes::new().merge(routes::routes()).merge(openai::routes()).merge(mcp::routes()).with_state(state)
}
