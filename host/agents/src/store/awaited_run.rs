//! Table `ai.awaited_runs`: runs that a client waits for and that it named by no key. A client that lost its connection sends the same
//! request again, and gets the run that its first request began.

use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;

use super::host_presence::HostNumber;

/// For how many seconds after its end a run is given to a client that asks again. Clients ask again within some seconds; a request of
/// a later time is a new one.
const REMEMBERED_SECONDS: f64 = 120.0;

/// The request of a client that waits, and the host where it waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AwaitedBy {
    /// SHA-256 of the request, as `behalf_web::request_digest` makes it.
    pub(crate) scope: [u8; 32],
    /// The host.
    pub(crate) host: HostNumber,
}

/// The table of awaited runs.
#[derive(Clone, Debug)]
pub(crate) struct AwaitedRunStore {
    db: HostDb,
}

impl AwaitedRunStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// The oldest run that the same request began and whose client is gone: it went away, or its host did. From now on the client of
    /// `by` waits for it. A request whose client still waits is another one, however alike they are.
    pub(crate) async fn adopt(&self, principal: &Principal, by: AwaitedBy) -> Result<Option<String>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let run_id = sqlx::query_scalar(
            "with lost as (
                select a.run_id from ai.awaited_runs a join ai.agent_runs r on r.run_id = a.run_id
                where a.scope = $1 and (a.host is null or ai.is_host_gone(a.host))
                    and (r.status in ('pending', 'running') or r.completed_at > now() - $3 * interval '1 second')
                    and r.cancel_requested_at is null
                order by r.started_at limit 1
                for update of a skip locked)
             update ai.awaited_runs a set host = $2 from lost where a.run_id = lost.run_id returning a.run_id",
        )
        .bind(by.scope.as_slice())
        .bind(by.host.get())
        .bind(REMEMBERED_SECONDS)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(run_id)
    }

    /// Notes that the client of a run went away.
    pub(crate) async fn leave(&self, principal: &Principal, run_id: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        sqlx::query("update ai.awaited_runs set host = null where run_id = $1").bind(run_id).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Forgets a run whose client went away and did not ask again; false where it did.
    pub(crate) async fn give_up(&self, principal: &Principal, run_id: &str) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let done = sqlx::query("delete from ai.awaited_runs where run_id = $1 and host is null")
            .bind(run_id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Forgets a run whose client has its answer.
    pub(crate) async fn answered(&self, principal: &Principal, run_id: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        sqlx::query("delete from ai.awaited_runs where run_id = $1").bind(run_id).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Forgets runs that are over and that nobody asked for again.
    pub(crate) async fn prune(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query(
            "delete from ai.awaited_runs a using ai.agent_runs r
             where r.run_id = a.run_id and r.completed_at < now() - 2 * $1 * interval '1 second'",
        )
        .bind(REMEMBERED_SECONDS)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

/// Adds the row of a run, in the transaction that begins the run.
pub(super) async fn insert_awaited_run(
    tx: &mut HostTx,
    principal: &Principal,
    run_id: &str,
    by: AwaitedBy,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into ai.awaited_runs (run_id, user_id, scope, host) values ($1, $2, $3, $4)")
        .bind(run_id)
        .bind(principal.subject())
        .bind(by.scope.as_slice())
        .bind(by.host.get())
        .execute(&mut **tx)
        .await
        .map(|_| ())
}
