//! Table `ai.run_resume_state`: who asked for a run, and what was asked. Another host needs it to resume the run.

use behalf_host_db::HostTx;
use behalf_identity::Principal;

use super::run_lifecycle::NewRun;

/// Adds the row of a run, in the transaction that begins the run.
pub(super) async fn insert_resume_state(
    tx: &mut HostTx,
    principal: &Principal,
    run: &NewRun<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into ai.run_resume_state (run_id, user_id, identity, request) values ($1, $2, $3, $4)")
        .bind(run.run_id)
        .bind(principal.subject())
        .bind(run.identity)
        .bind(run.request)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Deletes the row and the journal of a run, in the transaction that ends the run.
pub(super) async fn delete_resume_state(tx: &mut HostTx, run_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from ai.run_resume_state where run_id = $1").bind(run_id).execute(&mut **tx).await?;
    sqlx::query("delete from ai.run_journal where run_id = $1").bind(run_id).execute(&mut **tx).await?;
    Ok(())
}
