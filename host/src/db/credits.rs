//! Credits: balances, the ledger behind them, and what is held back for work that goes on. Amounts are milli-credits.
//!
//! A balance is the sum of its ledger and is changed in the same transaction. Its row is locked while something is held
//! back or charged, so that work that begins at the same moment cannot spend the same credits.

use serde::Serialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use sqlx::Row;
use thiserror::Error;
use uuid::Uuid;

use super::audit_events::{self, AuditAction, AuditEntry};
use super::prices::{Prices, Tokens};
use super::usage::{self, RunUsage};
use super::{Db, HostTx, RunEnd};
use crate::config::{CreditsAccount, CreditsMode};
use crate::identity::Principal;

/// How long credits are held back for one call of a tool: longer than any call lasts.
const CALL_SECONDS: f64 = 360.0;

/// How work is paid for.
#[derive(Clone, Debug, Default)]
pub struct Billing {
    /// Whether credits are counted and insisted on.
    pub mode: CreditsMode,
    /// Whose they are.
    pub account: CreditsAccount,
    /// What things cost; nothing costs anything where absent.
    pub prices: Option<Prices>,
}

/// Why work is not begun.
#[derive(Debug, Error)]
pub enum CreditError {
    /// There is not enough.
    #[error("insufficient_credits")]
    Insufficient {
        /// What is left, without what is held back.
        balance: i64,
        /// What the work is taken to cost.
        estimated_cost: i64,
    },
    /// Nobody can say how much there is.
    #[error("billing service unreachable; cannot verify balance")]
    Unreachable(#[source] sqlx::Error),
}

/// Credits that the service role gives.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// To whom; the project where absent.
    pub user: Option<Uuid>,
    /// How much.
    pub amount: i64,
    /// Whether it gives back what was charged.
    pub is_refund: bool,
    /// The grant with this key is made once.
    pub idempotency_key: Option<String>,
    /// For people.
    pub note: Option<String>,
    /// The HTTP request, for the audit trail.
    pub request_id: Option<String>,
}

/// An account as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct CreditsRow {
    /// `user:` and an id, or `project`.
    pub account: String,
    /// The sum of its ledger.
    pub balance: i64,
    /// Of it, held back for work that goes on.
    pub held: i64,
}

/// What of a call's credits is to be settled when it ends.
#[derive(Debug)]
pub struct CreditHold {
    db: Db,
    hold: Option<String>,
    account: String,
    user: Option<Uuid>,
    actor: String,
    tool: String,
    cost: i64,
}

impl Billing {
    /// Who pays; nobody where the service role works for itself and users pay for themselves.
    fn account(&self, principal: &Principal) -> Option<String> {
        match self.account {
            CreditsAccount::Project => Some(account_of(None)),
            CreditsAccount::User => principal.subject().map(|user| account_of(Some(user))),
        }
    }

    fn run_cost(&self, model: &str, end: &RunEnd) -> Option<i64> {
        let prices = self.prices.as_ref()?;
        if end.status != "completed" {
            return Some(0);
        }
        let tools = calls_by_tool(&end.tool_calls).into_iter();
        let tools = tools.map(|(name, _, good)| prices.tool(&name).unwrap_or_default().saturating_mul(good));
        let run = prices.run(model, Tokens::read(&end.usage));
        Some(tools.fold(run, i64::saturating_add))
    }
}

/// An account's name in the tables.
fn account_of(user: Option<Uuid>) -> String {
    user.map_or_else(|| "project".to_owned(), |user| format!("user:{user}"))
}

impl Db {
    /// Writes what a run costs into its usage; nothing where nothing has a price.
    pub fn price(&self, model: &str, end: &mut RunEnd) {
        let cost = self.billing.run_cost(model, end);
        if let (Some(cost), Json::Object(usage)) = (cost, &mut end.usage) {
            usage.insert("cost".to_owned(), json!(cost));
        }
    }

    /// Holds credits back for a tool's call; none where credits are not counted. The call is charged when it went well.
    pub async fn hold_for_call(&self, principal: &Principal, tool: &str) -> Result<Option<CreditHold>, CreditError> {
        let (CreditsMode::Record | CreditsMode::Enforce, Some(account)) =
            (self.billing.mode, self.billing.account(principal))
        else {
            return Ok(None);
        };
        let prices = self.billing.prices.as_ref();
        let estimate = prices.unwrap_or(&Prices::default()).estimate_of_tool(tool);
        let cost = prices.and_then(|prices| prices.tool(tool)).unwrap_or_default();
        let hold = if self.billing.mode == CreditsMode::Enforce {
            let key = format!("call:{}", Uuid::new_v4());
            self.hold(principal, &account, &key, estimate).await?;
            Some(key)
        } else {
            None
        };
        let (user, actor) = (principal.subject(), principal.actor());
        Ok(Some(CreditHold { db: self.clone(), hold, account, user, actor, tool: tool.to_owned(), cost }))
    }

    async fn hold(&self, principal: &Principal, account: &str, key: &str, estimate: i64) -> Result<(), CreditError> {
        let mut tx = self.begin(principal).await.map_err(CreditError::Unreachable)?;
        hold(&mut tx, account, key, None, estimate).await?;
        tx.commit().await.map_err(CreditError::Unreachable)
    }

    /// The account of the principal, or of this user, or the project's.
    pub async fn credits(&self, principal: &Principal, user: Option<Uuid>) -> Result<CreditsRow, CreditError> {
        let account = match user {
            Some(user) => account_of(Some(user)),
            None => self.billing.account(principal).unwrap_or_else(|| account_of(None)),
        };
        self.read_account(principal, account).await.map_err(CreditError::Unreachable)
    }

    async fn read_account(&self, principal: &Principal, account: String) -> Result<CreditsRow, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(
            "select coalesce((select balance from ai.credit_accounts where account = $1), 0) as balance,
                (select coalesce(sum(amount), 0)::bigint from ai.credit_holds
                 where account = $1 and (until is null or until > now())) as held",
        )
        .bind(&account)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(CreditsRow { account, balance: row.try_get("balance")?, held: row.try_get("held")? })
    }

    /// The newest entries of the ledger that the caller may see, of this user where one is given.
    pub async fn ledger(
        &self,
        principal: &Principal,
        user: Option<Uuid>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Json>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(
            "select to_jsonb(l) - 'idempotency_key' from ai.credit_ledger l
             where $1::uuid is null or user_id = $1 order by id desc limit $2 offset $3",
        )
        .bind(user)
        .bind(limit)
        .bind(offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// Gives credits. False where the grant of this key was made before.
    pub async fn grant_credits(&self, principal: &Principal, grant: &NewGrant) -> Result<bool, sqlx::Error> {
        let account = account_of(grant.user);
        let kind = if grant.is_refund { "refund" } else { "grant" };
        let key = grant.idempotency_key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
        let mut tx = self.begin(principal).await?;
        let entry = Entry {
            account: &account,
            user: grant.user,
            amount: grant.amount,
            kind,
            key: key_of(&account, kind, &key),
            run_id: None,
            call_id: None,
            note: grant.note.as_deref(),
            actor: &principal.actor(),
        };
        if !book(&mut tx, &entry).await? {
            return Ok(false);
        }
        let details = json!({ "amount": grant.amount, "kind": kind });
        let event = AuditEntry {
            action: AuditAction::CreditsGranted,
            actor: &principal.actor(),
            user_id: grant.user,
            object: Some(&account),
            request_id: grant.request_id.as_deref(),
            details: &details,
        };
        audit_events::insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl CreditHold {
    /// Charges the call, once, and lets go of what was held back.
    pub async fn charge(self, call_id: Uuid) {
        if let Err(error) = self.settle(Some(call_id)).await {
            tracing::error!(call.id = %call_id, cost = self.cost, error = %error, "a call was not charged");
        }
    }

    /// Lets go of what was held back for a call that did not succeed.
    pub async fn release(self) {
        if self.hold.is_some()
            && let Err(error) = self.settle(None).await
        {
            tracing::warn!(error = %error, "credits stay held back until their time is over");
        }
    }

    async fn settle(&self, call_id: Option<Uuid>) -> Result<(), sqlx::Error> {
        // The host's own transaction: the caller may be gone, and the row names whose it is.
        let mut tx = self.db.begin_as_host().await?;
        if let Some(hold) = &self.hold {
            sqlx::query("delete from ai.credit_holds where key = $1").bind(hold).execute(&mut *tx).await?;
        }
        if let Some(call_id) = call_id.filter(|_| self.cost > 0) {
            let entry = Entry {
                account: &self.account,
                user: self.user,
                amount: -self.cost,
                kind: "charge",
                key: key_of(&self.account, "agent_tool_call", &call_id.to_string()),
                run_id: None,
                call_id: Some(call_id),
                note: Some(&self.tool),
                actor: &self.actor,
            };
            book(&mut tx, &entry).await?;
        }
        tx.commit().await
    }
}

/// Holds credits back for a run, in the transaction that begins it.
pub(super) async fn hold_for_run(
    tx: &mut HostTx,
    billing: &Billing,
    principal: &Principal,
    run_id: &str,
) -> Result<(), CreditError> {
    let (CreditsMode::Enforce, Some(account)) = (billing.mode, billing.account(principal)) else { return Ok(()) };
    let estimate = billing.prices.as_ref().unwrap_or(&Prices::default()).estimate_of_run();
    hold(tx, &account, &format!("run:{run_id}"), Some(run_id), estimate).await
}

/// Writes what a run used and charges it, in the transaction that ends it. What was held back a trigger lets go of.
pub(super) async fn settle_run(
    tx: &mut HostTx,
    billing: &Billing,
    principal: &Principal,
    run: (&str, Uuid, &str),
    end: &RunEnd,
) -> Result<(), sqlx::Error> {
    let (run_id, agent_id, model) = run;
    let cost = billing.run_cost(model, end).unwrap_or_default();
    let prices = billing.prices.as_ref().filter(|_| end.status == "completed");
    let tool_cost =
        |name: &str, good| prices.and_then(|prices| prices.tool(name)).unwrap_or_default().saturating_mul(good);
    let tools: Vec<_> = calls_by_tool(&end.tool_calls)
        .into_iter()
        .map(|(name, calls, good)| {
            let cost = tool_cost(&name, good);
            (name, calls, cost)
        })
        .collect();
    let own = tools.iter().fold(cost, |cost, (_, _, tool)| cost.saturating_sub(*tool));
    let used = RunUsage { run_id, agent_id, model, tokens: Tokens::read(&end.usage), cost: own, tools: &tools };
    usage::insert(tx, principal, &used).await?;
    let (true, Some(account)) = (billing.mode != CreditsMode::Off && cost > 0, billing.account(principal)) else {
        return Ok(());
    };
    let entry = Entry {
        account: &account,
        user: principal.subject(),
        amount: -cost,
        kind: "charge",
        key: key_of(&account, "agent_run", run_id),
        run_id: Some(run_id),
        call_id: None,
        note: None,
        actor: &principal.actor(),
    };
    book(tx, &entry).await.map(|_| ())
}

/// Refuses where less is left than the work may cost, and sets that aside otherwise.
async fn hold(
    tx: &mut HostTx,
    account: &str,
    key: &str,
    run_id: Option<&str>,
    estimate: i64,
) -> Result<(), CreditError> {
    let left = lock(tx, account).await.map_err(CreditError::Unreachable)?;
    if left < estimate {
        return Err(CreditError::Insufficient { balance: left, estimated_cost: estimate });
    }
    sqlx::query(
        "insert into ai.credit_holds (key, account, amount, run_id, until)
         values ($1, $2, $3, $4, case when $4::text is null then now() + $5 * interval '1 second' end)",
    )
    .bind(key)
    .bind(account)
    .bind(estimate)
    .bind(run_id)
    .bind(CALL_SECONDS)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(CreditError::Unreachable)
}

/// Locks an account until the transaction ends, and says what is left of it.
async fn lock(tx: &mut HostTx, account: &str) -> Result<i64, sqlx::Error> {
    sqlx::query("insert into ai.credit_accounts (account) values ($1) on conflict do nothing")
        .bind(account)
        .execute(&mut **tx)
        .await?;
    let balance: i64 = sqlx::query_scalar("select balance from ai.credit_accounts where account = $1 for update")
        .bind(account)
        .fetch_one(&mut **tx)
        .await?;
    let held: i64 = sqlx::query_scalar(
        "select coalesce(sum(amount), 0)::bigint from ai.credit_holds
         where account = $1 and (until is null or until > now())",
    )
    .bind(account)
    .fetch_one(&mut **tx)
    .await?;
    Ok(balance.saturating_sub(held))
}

/// An entry of the ledger.
struct Entry<'a> {
    account: &'a str,
    user: Option<Uuid>,
    amount: i64,
    kind: &'static str,
    key: String,
    run_id: Option<&'a str>,
    call_id: Option<Uuid>,
    note: Option<&'a str>,
    actor: &'a str,
}

/// Books an entry and moves the balance by it. False where it was booked before.
async fn book(tx: &mut HostTx, entry: &Entry<'_>) -> Result<bool, sqlx::Error> {
    let booked = sqlx::query(
        "with booked as (
            insert into ai.credit_ledger (account, user_id, amount, kind, idempotency_key, run_id, call_id, note, actor)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (idempotency_key) do nothing returning amount)
         insert into ai.credit_accounts as held (account, balance) select $1, amount from booked
         on conflict (account) do update set balance = held.balance + excluded.balance",
    )
    .bind(entry.account)
    .bind(entry.user)
    .bind(entry.amount)
    .bind(entry.kind)
    .bind(&entry.key)
    .bind(entry.run_id)
    .bind(entry.call_id)
    .bind(entry.note)
    .bind(entry.actor)
    .execute(&mut **tx)
    .await?;
    Ok(booked.rows_affected() > 0)
}

/// The platform's form: SHA-256 of whose, what and which.
fn key_of(account: &str, action: &str, id: &str) -> String {
    let mut hash = Sha256::new();
    for part in [account, action, id] {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// Tools in a run's records with all calls and those that went well, in order of their names.
fn calls_by_tool(records: &Json) -> Vec<(String, i64, i64)> {
    let mut counted = std::collections::BTreeMap::<String, (i64, i64)>::new();
    for record in records.as_array().into_iter().flatten() {
        let Some(name) = record.get("tool_name").and_then(Json::as_str) else { continue };
        let good = record.get("status").and_then(Json::as_str) == Some("success");
        // A model may make names up.
        let count = counted.entry(name.chars().take(200).collect()).or_default();
        count.0 += 1;
        count.1 += i64::from(good);
    }
    counted.into_iter().map(|(name, (calls, good))| (name, calls, good)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_that_went_well_are_paid_for() {
        let call = |name: &str, status: &str| json!({ "tool_name": name, "status": status });
        let records = json!([call("b", "success"), call("a", "error"), call("b", "error"), call("b", "success"), 7]);
        assert_eq!(calls_by_tool(&records), [("a".to_owned(), 1, 0), ("b".to_owned(), 3, 2)]);
        let prices = Prices::read(&json!({ "agent_run": 5, "tools": { "*": 2 } })).ok();
        let billing = Billing { prices, ..Billing::default() };
        let mut end = RunEnd { status: "completed", tool_calls: records, ..RunEnd::default() };
        assert_eq!(billing.run_cost("x", &end), Some(9));
        end.status = "failed";
        assert_eq!((billing.run_cost("x", &end), Billing::default().run_cost("x", &end)), (Some(0), None));
    }

    #[test]
    fn keys_of_different_work_differ() {
        assert_ne!(key_of("ab", "c", "d"), key_of("a", "bc", "d"));
    }
}
