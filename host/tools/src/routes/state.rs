//! What the handlers of this feature share.

use std::ops::Deref;
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

/// What the handlers reach. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct ToolsState(pub(super) Arc<ToolsParts>);

#[derive(Debug)]
pub(super) struct ToolsParts {
    pub(super) web: Web,
    pub(super) tools: Tools,
    pub(super) mcp: McpServer,
    /// The public keys of all hosts.
    pub(super) keys: Recent<PublishedKeys>,
}

impl Deref for ToolsState {
    type Target = ToolsParts;

    fn deref(&self) -> &ToolsParts {
        &self.0
    }
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
