//! Tables `ai.credit_ledger` and `ai.credit_accounts`: every change of a balance, and the sums. A balance is the sum of its
//! ledger and is changed in the same statement. Amounts are milli-credits.

use behalf_host_db::HostTx;
use behalf_web::Page;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// An entry of the ledger as clients see it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = LedgerEntry)]
pub struct LedgerRow {
    /// Its number; later entries have higher ones.
    pub id: i64,
    /// RFC 3339.
    pub created_at: String,
    /// `user:` and the user's id, or `project`.
    pub account: String,
    /// The user that the credits were granted to, or that worked.
    pub user_id: Option<Uuid>,
    /// Milli-credits; charges are negative.
    pub amount: i64,
    /// `grant`, `refund` or `charge`.
    pub kind: String,
    /// The run that was charged.
    pub run_id: Option<String>,
    /// The direct call that was charged.
    pub call_id: Option<Uuid>,
    /// A grant's note for people; a charged call's tool.
    pub note: Option<String>,
    /// Who granted or worked.
    pub actor: String,
}

/// An entry to add.
#[derive(Clone, Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) account: &'a str,
    pub(crate) user: Option<Uuid>,
    pub(crate) amount: i64,
    pub(crate) kind: &'static str,
    pub(crate) key: EntryKey,
    pub(crate) run_id: Option<&'a str>,
    pub(crate) call_id: Option<Uuid>,
    pub(crate) note: Option<&'a str>,
    pub(crate) actor: &'a str,
}

/// Says what an entry is for, so that a repeated attempt adds none: SHA-256 of account, action and id, as on the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryKey(String);

impl EntryKey {
    /// The key of an action on an account, such as the charge of the run with this id.
    pub(crate) fn new(account: &str, action: &str, id: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [account, action, id] {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hex::encode(hash.finalize()))
    }
}

impl NewEntry<'_> {
    /// Adds the entry and moves the balance by its amount. False where an entry of this key was added before.
    pub(crate) async fn book(&self, tx: &mut HostTx) -> Result<bool, sqlx::Error> {
        let booked = sqlx::query(
            "with booked as (
                insert into ai.credit_ledger (account, user_id, amount, kind, idempotency_key, run_id, call_id, note, actor)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (idempotency_key) do nothing returning amount)
             insert into ai.credit_accounts as held (account, balance) select $1, amount from booked
             on conflict (account) do update set balance = held.balance + excluded.balance",
        )
        .bind(self.account)
        .bind(self.user)
        .bind(self.amount)
        .bind(self.kind)
        .bind(&self.key.0)
        .bind(self.run_id)
        .bind(self.call_id)
        .bind(self.note)
        .bind(self.actor)
        .execute(&mut **tx)
        .await?;
        Ok(booked.rows_affected() > 0)
    }
}

/// The newest entries that the caller may see, of this user where one is given.
pub(crate) async fn read(tx: &mut HostTx, user: Option<Uuid>, page: Page) -> Result<Vec<LedgerRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, to_json(created_at) #>> '{}' as created_at, account, user_id, amount, kind, run_id, call_id, note, actor
         from ai.credit_ledger where $1::uuid is null or user_id = $1 order by id desc limit $2 offset $3",
    )
    .bind(user)
    .bind(page.limit)
    .bind(page.offset)
    .fetch_all(&mut **tx)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_work_differ() {
        assert_ne!(EntryKey::new("ab", "c", "d"), EntryKey::new("a", "bc", "d"));
    }
}
