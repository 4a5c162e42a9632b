//! What all runs of this host share.

use std::sync::Arc;

use behalf_contracts::{RunAccounting, ToolInvoker};
use behalf_models::Models;

use super::active_runs::ActiveRuns;
use super::control::RunControl;
use crate::store::{
    ApprovalStore, AwaitedRunStore, ContextHandlerStore, HostNumber, JournalStore, RunEventStore, RunLeaseStore,
    RunStore,
};

/// What all runs of this host share.
#[derive(Debug)]
pub(crate) struct RunEnvironment {
    /// Calls tools.
    pub(crate) tools: Arc<dyn ToolInvoker>,
    /// Knows delegations and prices.
    pub(crate) accounting: Arc<dyn RunAccounting>,
    /// Answers.
    pub(crate) models: Models,
    /// The runs of this host.
    pub(crate) active: Arc<ActiveRuns>,
    /// Follows and cancels runs.
    pub(crate) control: RunControl,
    /// The table of runs.
    pub(crate) runs: RunStore,
    /// Their events.
    pub(crate) events: RunEventStore,
    /// Their journals.
    pub(crate) journals: JournalStore,
    /// Their leases.
    pub(crate) leases: RunLeaseStore,
    /// Their approvals.
    pub(crate) approvals: ApprovalStore,
    /// Those of them that a client waits for without a key.
    pub(crate) awaited: AwaitedRunStore,
    /// The number by which other hosts know this one.
    pub(crate) host: HostNumber,
    /// Their searches.
    pub(crate) handlers: ContextHandlerStore,
}
