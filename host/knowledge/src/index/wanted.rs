//! Adds jobs for sources that are to be indexed and have none: those that were read anew, and those of others in a base that its owner
//! has indexed anew. No request of the source's owner is there to add the job in the owner's name, so it is work of the host's own.

use behalf_host_db::HostTx;
use behalf_queue::{AddError, JobId};
use uuid::Uuid;

use super::job_of;
use crate::state::Knowledge;

/// Jobs that are added in one transaction.
const BATCH: i64 = 100;

const WANTED: &str = "
    select id from ai.indexed_sources where wanted_at is not null and index_status = 'pending'
    order by wanted_at, id limit $1 for update skip locked";

const NAME_JOB: &str = "update ai.indexed_sources set job_id = $2, wanted_at = null where id = $1";

/// Adds them all, or as many as may wait; a later look adds the others.
pub(super) async fn add_jobs(knowledge: &Knowledge) -> Result<(), sqlx::Error> {
    loop {
        let mut tx = knowledge.db.begin_as_host().await?;
        let added = add_some(knowledge, &mut tx).await?;
        tx.commit().await?;
        if added < BATCH {
            return Ok(());
        }
    }
}

async fn add_some(knowledge: &Knowledge, tx: &mut HostTx) -> Result<i64, sqlx::Error> {
    let wanted: Vec<Uuid> = sqlx::query_scalar(WANTED).bind(BATCH).fetch_all(&mut **tx).await?;
    let mut added = 0;
    for place in wanted {
        let JobId(job) = match knowledge.queue.add_as_host(tx, &job_of(place)).await {
            Ok(one) => one.id(),
            Err(AddError::Full(_)) => break,
            Err(AddError::Database(error)) => return Err(error),
        };
        sqlx::query(NAME_JOB).bind(place).bind(job).execute(&mut **tx).await?;
        added += 1;
    }
    Ok(added)
}
