//! Credits of single tool calls that belong to no run: held before the call, charged or released after it.

use behalf_contracts::{CreditError, CreditHold, CreditLedger};
use behalf_host_db::HostDb;
use behalf_identity::Principal;
use behalf_problem::LogText as _;
use futures::FutureExt;
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::billing::CreditsMode;
use crate::credits::CreditStore;
use crate::holds::{self, NewHold};
use crate::ledger::{EntryKey, NewEntry};

/// The credits of one call.
#[derive(Debug)]
struct CallHold {
    db: HostDb,
    /// The hold's key; none where calls are charged and not held.
    key: Option<String>,
    account: String,
    user: Option<Uuid>,
    actor: String,
    tool: String,
    cost: i64,
}

impl CreditLedger for CreditStore {
    fn hold_for_call<'a>(
        &'a self,
        principal: &'a Principal,
        tool: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn CreditHold>>, CreditError>> {
        async move {
            let hold = hold_for_call(self, principal, tool).await?;
            Ok(hold.map(|hold| Box::new(hold) as Box<dyn CreditHold>))
        }
        .boxed()
    }
}

async fn hold_for_call(
    store: &CreditStore,
    principal: &Principal,
    tool: &str,
) -> Result<Option<CallHold>, CreditError> {
    let (db, billing) = (store.db(), store.billing());
    let (CreditsMode::Record | CreditsMode::Enforce, Some(account)) = (billing.mode, billing.account_of(principal))
    else {
        return Ok(None);
    };
    let key = if billing.mode == CreditsMode::Enforce {
        let key = format!("call:{}", Uuid::new_v4());
        let hold = NewHold { account: &account, key: &key, run_id: None, estimate: billing.estimate_of_tool(tool) };
        let mut tx = db.begin(principal).await.map_err(CreditError::Unreachable)?;
        hold.make(&mut tx).await?;
        tx.commit().await.map_err(CreditError::Unreachable)?;
        Some(key)
    } else {
        None
    };
    let (user, actor, cost) = (principal.subject(), principal.actor(), billing.cost_of_tool(tool));
    Ok(Some(CallHold { db: db.clone(), key, account, user, actor, tool: tool.to_owned(), cost }))
}

impl CreditHold for CallHold {
    fn charge(self: Box<Self>, call_id: Uuid) -> BoxFuture<'static, ()> {
        async move {
            if let Err(error) = self.settle(Some(call_id)).await {
                tracing::error!(call.id = %call_id, cost = self.cost, error = error.log_text(), "a call was not charged");
            }
        }
        .boxed()
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            if self.key.is_some()
                && let Err(error) = self.settle(None).await
            {
                tracing::warn!(error = error.log_text(), "credits stay held until their hold expires");
            }
        }
        .boxed()
    }
}

impl CallHold {
    /// Ends the hold, and charges the call where one is given.
    async fn settle(&self, call_id: Option<Uuid>) -> Result<(), sqlx::Error> {
        // In the host's own name: the caller's token may have expired, and the entry names the user.
        let mut tx = self.db.begin_as_host().await?;
        if let Some(key) = &self.key {
            holds::release(&mut tx, key).await?;
        }
        if let Some(call_id) = call_id.filter(|_| self.cost > 0) {
            let entry = NewEntry {
                account: &self.account,
                user: self.user,
                amount: -self.cost,
                kind: "charge",
                key: EntryKey::new(&self.account, "agent_tool_call", &call_id.to_string()),
                run_id: None,
                call_id: Some(call_id),
                note: Some(&self.tool),
                actor: &self.actor,
            };
            entry.book(&mut tx).await?;
        }
        tx.commit().await
    }
}
