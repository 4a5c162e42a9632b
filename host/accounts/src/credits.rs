//! Accounts of credits: reading balances and the ledger, and granting.

use std::sync::Arc;

use behalf_contracts::CreditError;
use behalf_host_db::{AuditAction, AuditEvent, HostDb, HostTx};
use behalf_identity::Principal;
use behalf_web::Page;
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use crate::billing::{Billing, CreditsMode, account_name};
use crate::ledger::{self, EntryKey, LedgerRow, NewEntry};

/// Credits were granted.
const CREDITS_GRANTED: AuditAction = AuditAction::new("credits.granted");

/// Credits that the service role grants.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// The user that gets them; the project where absent.
    pub user: Option<Uuid>,
    /// Milli-credits.
    pub amount: i64,
    /// Whether it gives back what was charged.
    pub is_refund: bool,
    /// A grant with this key is made once.
    pub idempotency_key: Option<String>,
    /// A note for people.
    pub note: Option<String>,
    /// The HTTP request, for the audit log.
    pub request_id: Option<String>,
}

/// An account as it stands.
#[derive(Clone, Debug)]
pub struct CreditsBalance {
    /// `user:` and the user's id, or `project`.
    pub account: String,
    /// The sum of its ledger, in milli-credits.
    pub balance: i64,
    /// The part of it that is held for work under way.
    pub held: i64,
}

/// Reads and grants credits, and holds them for single calls.
#[derive(Clone, Debug)]
pub struct CreditStore {
    db: HostDb,
    billing: Arc<Billing>,
}

#[derive(FromRow)]
struct BalanceRow {
    balance: i64,
    held: i64,
}

impl CreditStore {
    /// The credits in `db`, counted as `billing` says.
    pub fn new(db: HostDb, billing: Arc<Billing>) -> Self {
        Self { db, billing }
    }

    /// Whether credits are counted.
    pub fn mode(&self) -> CreditsMode {
        self.billing.mode
    }

    /// The account of this user; without one, the account that pays for the principal.
    pub async fn balance(&self, principal: &Principal, user: Option<Uuid>) -> Result<CreditsBalance, CreditError> {
        let account = match user {
            Some(user) => account_name(Some(user)),
            None => self.billing.account_of(principal).unwrap_or_else(|| account_name(None)),
        };
        let row = self.read_account(principal, &account).await.map_err(CreditError::Unreachable)?;
        Ok(CreditsBalance { account, balance: row.balance, held: row.held })
    }

    async fn read_account(&self, principal: &Principal, account: &str) -> Result<BalanceRow, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let row = sqlx::query_as(
            "select coalesce((select balance from ai.credit_accounts where account = $1), 0) as balance,
                (select coalesce(sum(amount), 0)::bigint from ai.credit_holds
                 where account = $1 and (until is null or until > now())) as held",
        )
        .bind(account)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(row)
    }

    /// The newest entries of the ledger that the caller may see, of this user where one is given.
    pub async fn ledger(
        &self,
        principal: &Principal,
        user: Option<Uuid>,
        page: Page,
    ) -> Result<Vec<LedgerRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let entries = ledger::read(&mut tx, user, page).await?;
        tx.commit().await?;
        Ok(entries)
    }

    /// Grants credits. False where a grant of this key was made before; nothing changes then.
    pub async fn grant(&self, principal: &Principal, grant: &NewGrant) -> Result<bool, sqlx::Error> {
        let account = account_name(grant.user);
        let kind = if grant.is_refund { "refund" } else { "grant" };
        let key = grant.idempotency_key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
        let mut tx = self.db.begin(principal).await?;
        let entry = NewEntry {
            account: &account,
            user: grant.user,
            amount: grant.amount,
            kind,
            key: EntryKey::new(&account, kind, &key),
            run_id: None,
            call_id: None,
            note: grant.note.as_deref(),
            actor: &principal.actor(),
        };
        if !entry.book(&mut tx).await? {
            return Ok(false);
        }
        // The account is locked now, so the balance before is known as well.
        let after = balance_of(&mut tx, &account).await?;
        let event = AuditEvent {
            action: CREDITS_GRANTED,
            user_id: grant.user,
            object: Some(&account),
            request_id: grant.request_id.as_deref(),
            details: json!({
                "amount": grant.amount, "kind": kind,
                "before": { "balance": after - grant.amount }, "after": { "balance": after },
            }),
        };
        event.insert(&mut tx, principal).await?;
        tx.commit().await?;
        Ok(true)
    }

    pub(crate) fn db(&self) -> &HostDb {
        &self.db
    }

    pub(crate) fn billing(&self) -> &Billing {
        &self.billing
    }
}

async fn balance_of(tx: &mut HostTx, account: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select balance from ai.credit_accounts where account = $1")
        .bind(account)
        .fetch_one(&mut **tx)
        .await
}
