//! What the handlers of this feature reach.

use std::sync::Arc;

use axum::extract::FromRef;
use behalf_mcp::McpServer;
use behalf_web::Web;

use crate::agents::Agents;

/// What the handlers of this feature reach.
#[derive(Clone, Debug)]
pub(crate) struct AgentsState {
    /// The agents.
    pub(crate) agents: Arc<Agents>,
    /// Serves the Model Context Protocol.
    pub(crate) mcp: McpServer,
    /// Callers, limits and idempotency keys.
    pub(crate) web: Web,
}

impl FromRef<AgentsState> for Web {
    fn from_ref(state: &AgentsState) -> Self {
        state.web.clone()
    }
}
