//! Table `ai.run_failures`: what a model's endpoint said of a run that failed. The service role alone reads it.

use behalf_host_db::HostTx;

/// Stores why a run failed, in the endpoint's own words. A run ends once, so there is none yet.
pub(super) async fn insert_failure(tx: &mut HostTx, run_id: &str, reason: &str) -> Result<(), sqlx::Error> {
    sqlx::query("insert into ai.run_failures (run_id, reason) values ($1, $2)")
        .bind(run_id)
        .bind(reason)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}
