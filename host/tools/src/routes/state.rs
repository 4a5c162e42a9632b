//! What the handlers of this feature share.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use behalf_mcp::McpServer;
use behalf_web::{ApiError, Recent, Web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::tools::Tools;

/// Public keys and for how long they may be kept, or why they cannot be read.
type PublishedKeys = Result<(Vec<serde_json::Value>, Duration), ApiError>;

/// What the handlers reach.
#[derive(Clone, Debug)]
pub(super) struct ToolsState {
    pub(super) web: Web,
    pub(super) tools: Tools,
    pub(super) mcp: McpServer,
    /// The public keys of all hosts.
    pub(super) keys: Arc<Recent<PublishedKeys>>,
}

impl FromRef<ToolsState> for Web {
    fn from_ref(state: &ToolsState) -> Self {
        state.web.clone()
    }
}

/// The answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deleted {
    /// Always true.
    deleted: bool,
}

impl Deleted {
    pub(super) const DONE: Self = Self { deleted: true };
}
