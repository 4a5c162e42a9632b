//! Delegations and credits of runs, in the transactions that begin and end them.

use std::sync::Arc;

use behalf_contracts::{CreditError, EndedRun, RunAccounting};
use behalf_host_db::HostTx;
use behalf_identity::Principal;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::billing::{Billing, CreditsMode};
use crate::delegations::Delegations;
use crate::holds::NewHold;
use crate::ledger::{EntryKey, NewEntry};
use crate::prices::Tokens;
use crate::usage::RunUsage;

/// Counts, holds, and charges what runs use.
#[derive(Clone, Debug)]
pub struct RunAccounts {
    delegations: Delegations,
    billing: Arc<Billing>,
}

impl RunAccounts {
    /// Accounts for runs as `billing` says.
    pub fn new(delegations: Delegations, billing: Arc<Billing>) -> Self {
        Self { delegations, billing }
    }

    async fn hold(&self, tx: &mut HostTx, principal: &Principal, run_id: &str) -> Result<(), CreditError> {
        let (CreditsMode::Enforce, Some(account)) = (self.billing.mode, self.billing.account_of(principal)) else {
            return Ok(());
        };
        let key = format!("run:{run_id}");
        let estimate = self.billing.estimate_of_run();
        NewHold { account: &account, key: &key, run_id: Some(run_id), estimate }.make(tx).await
    }

    /// The run's hold is not ended here: a trigger ends it with the run.
    async fn settle(&self, tx: &mut HostTx, principal: &Principal, run: EndedRun<'_>) -> Result<(), sqlx::Error> {
        let cost = self.billing.cost_of(run);
        let used = RunUsage {
            run_id: run.run_id,
            agent_id: run.agent_id,
            model: run.model,
            tokens: Tokens::read(run.usage),
            cost: &cost,
        };
        used.insert(tx, principal).await?;
        let total = cost.total();
        let (true, Some(account)) =
            (self.billing.mode != CreditsMode::Off && total > 0, self.billing.account_of(principal))
        else {
            return Ok(());
        };
        let entry = NewEntry {
            account: &account,
            user: principal.subject(),
            amount: -total,
            kind: "charge",
            key: EntryKey::new(&account, "agent_run", run.run_id),
            run_id: Some(run.run_id),
            call_id: None,
            note: None,
            actor: &principal.actor(),
        };
        entry.book(tx).await.map(|_| ())
    }
}

impl RunAccounting for RunAccounts {
    fn count_delegated_run<'a>(
        &'a self,
        tx: &'a mut HostTx,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<bool, sqlx::Error>> {
        self.delegations.count_run(tx, principal).boxed()
    }

    fn refresh_delegations<'a>(
        &'a self,
        tx: &'a mut HostTx,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        self.delegations.refresh_claims(tx, principal).boxed()
    }

    fn hold_for_run<'a>(
        &'a self,
        tx: &'a mut HostTx,
        principal: &'a Principal,
        run_id: &'a str,
    ) -> BoxFuture<'a, Result<(), CreditError>> {
        self.hold(tx, principal, run_id).boxed()
    }

    fn settle_run<'a>(
        &'a self,
        tx: &'a mut HostTx,
        principal: &'a Principal,
        run: EndedRun<'a>,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        self.settle(tx, principal, run).boxed()
    }

    fn run_cost(&self, run: EndedRun<'_>) -> Option<i64> {
        self.billing.prices.is_some().then(|| self.billing.cost_of(run).total())
    }

    fn delegation_is_valid<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<bool, sqlx::Error>> {
        self.delegations.is_valid(principal).boxed()
    }
}
