//! The places of sources in bases: added, cancelled and taken out, each in the name of who may.

use behalf_host_db::HostTx;
use behalf_identity::Principal;
use behalf_queue::{AddError, JobId};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::{again, audit};
use crate::error::{KnowledgeProblem, NO_BASE, NO_INDEXED_SOURCE, NO_SOURCE};
use crate::index;
use crate::state::Knowledge;

/// A base that the caller may add to: their own, or one that takes sources of every signed-in user. That of another cannot be locked;
/// one that is deleted meanwhile refuses the row.
const BASE: &str = "
    select from ai.knowledge_bases
    where id = $1 and ((select behalf.role()) = 'service_role' or owner_id = (select behalf.uid()) or contributors = 'authenticated')";

/// A source that the caller owns; the service role may add everybody's.
const SOURCE: &str = "select name, extraction_status from ai.sources where id = $1 for key share";

/// What is there stays to be found until the new index is there.
const ADD: &str = "
    insert into ai.indexed_sources as i (knowledge_base_id, source_id) values ($1, $2)
    on conflict (knowledge_base_id, source_id) do update
        set index_status = 'pending', error_message = null, wanted_at = null, stats = i.stats - 'done' - 'total', updated_at = now()
    returning id, job_id";

const NAME_JOB: &str = "update ai.indexed_sources set job_id = $2 where id = $1";

/// Whoever owns the source, or the base.
const LOCK: &str = "
    select index_status, job_id from ai.indexed_sources where knowledge_base_id = $1 and id = $2 for update";

const CANCEL: &str = "
    update ai.indexed_sources
    set index_status = 'cancelled', wanted_at = null, error_message = null, stats = stats - 'done' - 'total', updated_at = now()
    where id = $1";

/// A source that was put into a base.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    /// The id of its place.
    pub(crate) id: Uuid,
    /// The name of the source.
    pub(crate) source_name: String,
    /// The job that indexes it.
    pub(crate) job: Uuid,
}

#[derive(Debug, FromRow)]
struct Locked {
    index_status: String,
    job_id: Option<Uuid>,
}

/// Puts a source of the caller's into a base, or has it indexed anew if it is there.
pub(crate) async fn add(
    knowledge: &Knowledge,
    principal: &Principal,
    (base, source): (Uuid, Uuid),
    request_id: &str,
) -> Result<Put, KnowledgeProblem> {
    again(async || {
        let mut tx = knowledge.db.begin(principal).await?;
        let found = sqlx::query(BASE).bind(base).fetch_optional(&mut *tx).await?;
        found.ok_or(KnowledgeProblem::NotFound(NO_BASE))?;
        let found: Option<(String, String)> = sqlx::query_as(SOURCE).bind(source).fetch_optional(&mut *tx).await?;
        let (source_name, status) = found.ok_or(KnowledgeProblem::NotFound(NO_SOURCE))?;
        if status != "extracted" {
            return Err(KnowledgeProblem::Invalid(format!("Source must be extracted first (status: {status})")));
        }
        let (id, earlier): (Uuid, Option<Uuid>) =
            sqlx::query_as(ADD).bind(base).bind(source).fetch_one(&mut *tx).await?;
        cancel_job(knowledge, &mut tx, earlier).await?;
        let job = name_job(knowledge, &mut tx, principal, id).await?;
        let details = json!({ "source": source });
        audit::record(&mut tx, principal, audit::SOURCE_ADDED, (base, request_id), details).await?;
        tx.commit().await?;
        Ok(Put { id, source_name, job })
    })
    .await
}

/// Adds the job that indexes a place, and names it in the row.
pub(super) async fn name_job(
    knowledge: &Knowledge,
    tx: &mut HostTx,
    principal: &Principal,
    place: Uuid,
) -> Result<Uuid, AddError> {
    let JobId(job) = knowledge.queue.add(tx, principal, &index::job_of(place)).await?.id();
    sqlx::query(NAME_JOB).bind(place).bind(job).execute(&mut **tx).await?;
    Ok(job)
}

/// Its job stores nothing any more, whether it waits or is under way. A job of another's is left, and finds that it is not wanted.
pub(super) async fn cancel_job(knowledge: &Knowledge, tx: &mut HostTx, job: Option<Uuid>) -> Result<(), sqlx::Error> {
    if let Some(job) = job {
        knowledge.queue.cancel(tx, JobId(job)).await?;
    }
    Ok(())
}

/// Takes a source out of a base, with its chunks.
pub(crate) async fn remove(
    knowledge: &Knowledge,
    principal: &Principal,
    (base, place): (Uuid, Uuid),
    request_id: &str,
) -> Result<(), KnowledgeProblem> {
    again(async || {
        let mut tx = knowledge.db.begin(principal).await?;
        let locked = lock(&mut tx, (base, place)).await?;
        cancel_job(knowledge, &mut tx, locked.job_id).await?;
        sqlx::query("delete from ai.indexed_sources where id = $1").bind(place).execute(&mut *tx).await?;
        let details = json!({ "indexed_source": place });
        audit::record(&mut tx, principal, audit::SOURCE_REMOVED, (base, request_id), details).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Cancels indexing a source. What was indexed before stays.
pub(crate) async fn cancel(
    knowledge: &Knowledge,
    principal: &Principal,
    (base, place): (Uuid, Uuid),
    request_id: &str,
) -> Result<Option<Uuid>, KnowledgeProblem> {
    again(async || {
        let mut tx = knowledge.db.begin(principal).await?;
        let locked = lock(&mut tx, (base, place)).await?;
        if !matches!(&*locked.index_status, "pending" | "indexing") {
            return Err(KnowledgeProblem::WrongState("nothing is under way for this source"));
        }
        cancel_job(knowledge, &mut tx, locked.job_id).await?;
        sqlx::query(CANCEL).bind(place).execute(&mut *tx).await?;
        sqlx::query("delete from behalf.staged_chunks where indexed_source_id = $1")
            .bind(place)
            .execute(&mut *tx)
            .await?;
        let details = json!({ "indexed_source": place });
        audit::record(&mut tx, principal, audit::CANCELLED, (base, request_id), details).await?;
        tx.commit().await?;
        Ok(locked.job_id)
    })
    .await
}

async fn lock(tx: &mut HostTx, (base, place): (Uuid, Uuid)) -> Result<Locked, KnowledgeProblem> {
    let found = sqlx::query_as(LOCK).bind(base).bind(place).fetch_optional(&mut **tx).await?;
    found.ok_or(KnowledgeProblem::NotFound(NO_INDEXED_SOURCE))
}
