//! Delegations and credits of runs. The accounts feature implements this trait, and the agents feature calls it in the
//! transaction that begins or ends a run.

use std::fmt::Debug;

use behalf_host_db::HostTx;
use behalf_identity::Principal;
use futures::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::CreditError;

/// The facts about a run that ends which determine its cost.
#[derive(Clone, Copy, Debug)]
pub struct EndedRun<'a> {
    /// The run's id.
    pub run_id: &'a str,
    /// The run's agent.
    pub agent_id: Uuid,
    /// The model that gave the last answer.
    pub model: &'a str,
    /// Whether the run completed; other runs cost nothing.
    pub is_completed: bool,
    /// The tokens that it used, in the platform's form.
    pub usage: &'a Value,
    /// The tool calls that it made, as its row stores them.
    pub tool_calls: &'a Value,
}

/// Delegations and credits of runs.
pub trait RunAccounting: Debug + Send + Sync {
    /// Counts a run that begins under the caller's delegation. Returns false if the delegation is revoked or expired or
    /// has used up its runs, and true for callers without a delegation.
    fn count_delegated_run<'a>(
        &'a self,
        tx: &'a mut HostTx,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<bool, sqlx::Error>>;

    /// Gives the valid delegations of a user who begins a run in person what their token says of them, where it is a later
    /// token than the one that the delegations know.
    fn refresh_delegations<'a>(
        &'a self,
        tx: &'a mut HostTx,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>>;

    /// Reserves the estimated cost of a run.
    fn hold_for_run<'a>(
        &'a self,
        tx: &'a mut HostTx,
        principal: &'a Principal,
        run_id: &'a str,
    ) -> BoxFuture<'a, Result<(), CreditError>>;

    /// Stores the usage of a run, charges it once, and ends the reservation.
    fn settle_run<'a>(
        &'a self,
        tx: &'a mut HostTx,
        principal: &'a Principal,
        run: EndedRun<'a>,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>>;

    /// The cost of a run in milli-credits; `None` if no prices are set.
    fn run_cost(&self, run: EndedRun<'_>) -> Option<i64>;

    /// Whether the caller's delegation is neither revoked nor expired, and its user not banned; true for callers without one. It is checked
    /// before each tool call of a run, so that a revocation takes effect at the next call.
    fn delegation_is_valid<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<bool, sqlx::Error>>;
}
