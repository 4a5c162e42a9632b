//! A run that this host works on.

use std::sync::Arc;
use std::time::Instant;

use behalf_contracts::CallContext;
use behalf_identity::Principal;
use uuid::Uuid;

use crate::store::RunLease;

/// A run that this host has the lease on.
#[derive(Debug)]
pub(crate) struct LeasedRun {
    /// The caller on whose behalf it works.
    pub(crate) principal: Arc<Principal>,
    /// The lease.
    pub(crate) lease: RunLease,
    /// Its agent.
    pub(crate) agent_id: Uuid,
    /// Its session.
    pub(crate) session_id: String,
    /// Whether the session began with it.
    pub(crate) is_new_session: bool,
    /// How many runs are above it.
    pub(crate) depth: i32,
    /// When this host began to work on it.
    pub(crate) began: Instant,
    /// The HTTP request that asked for it.
    pub(crate) request_id: Option<String>,
}

impl LeasedRun {
    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.lease.run_id
    }

    /// The context of one of its tool calls, which may commit while this host has the lease.
    pub(crate) fn call_context(&self, step: u32, model_call_id: &str) -> CallContext {
        CallContext {
            request_id: self.request_id.clone(),
            client: None,
            agent_id: Some(self.agent_id),
            session_id: Some(self.session_id.clone()),
            run_id: Some(self.lease.run_id.clone()),
            step: Some(step),
            model_call_id: Some(model_call_id.to_owned()),
            commit_guard: Some(Arc::new(self.lease.clone())),
            ..CallContext::default()
        }
    }
}
