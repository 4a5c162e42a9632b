//! Table `ai.credit_holds`: credits that are held for work under way, so that work that begins at the same moment cannot
//! spend them as well. The account's row is locked while a hold is made.

use behalf_contracts::CreditError;
use behalf_host_db::HostTx;

/// How long credits are held for one call of a tool: longer than any call lasts.
const CALL_SECONDS: f64 = 360.0;

/// A hold to make.
#[derive(Clone, Debug)]
pub(crate) struct NewHold<'a> {
    pub(crate) account: &'a str,
    pub(crate) key: &'a str,
    /// The run that the hold lasts as long as; a call's hold expires by itself.
    pub(crate) run_id: Option<&'a str>,
    pub(crate) estimate: i64,
}

impl NewHold<'_> {
    /// Makes the hold, or refuses where the account has less left than the work may cost.
    pub(crate) async fn make(&self, tx: &mut HostTx) -> Result<(), CreditError> {
        let available = lock_account(tx, self.account).await.map_err(CreditError::Unreachable)?;
        if available < self.estimate {
            return Err(CreditError::Insufficient { balance: available, estimated_cost: self.estimate });
        }
        sqlx::query(
            "insert into ai.credit_holds (key, account, amount, run_id, until)
             values ($1, $2, $3, $4, case when $4::text is null then now() + $5 * interval '1 second' end)",
        )
        .bind(self.key)
        .bind(self.account)
        .bind(self.estimate)
        .bind(self.run_id)
        .bind(CALL_SECONDS)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(CreditError::Unreachable)
    }
}

/// Ends a hold.
pub(crate) async fn release(tx: &mut HostTx, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from ai.credit_holds where key = $1").bind(key).execute(&mut **tx).await.map(|_| ())
}

/// Locks an account until the transaction ends. Returns its balance without what is held.
async fn lock_account(tx: &mut HostTx, account: &str) -> Result<i64, sqlx::Error> {
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
