//! Has sources of a base indexed anew, by who owns the base.
//!
//! All rows are marked in one statement, and chunks of before stay until there are others. The jobs of the caller's own sources are added
//! here; those of others' sources, and of more than a request should add or may wait, a host adds that looks for what is wanted
//! (`index::wanted`).

use behalf_host_db::HostTx;
use behalf_identity::Principal;
use behalf_queue::AddError;
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::places::{cancel_job, name_job};
use super::{again, audit};
use crate::error::{KnowledgeProblem, NO_BASE};
use crate::state::Knowledge;

/// Jobs that one request adds.
const AT_ONCE: usize = 200;

const BASE: &str = "
    select from ai.knowledge_bases
    where id = $1 and ((select behalf.role()) = 'service_role' or owner_id = (select behalf.uid())) for key share";

/// The rows in one order, so that two requests never wait for each other.
const ROWS: &str = "
    select i.id, i.job_id, s.id is not null as is_own from ai.indexed_sources i left join ai.sources s on s.id = i.source_id
    where i.knowledge_base_id = $1 and ($2::uuid[] is null or i.id = any($2)) and (not $3 or i.index_status = 'failed')
    order by i.id for update of i";

const MARK: &str = "
    update ai.indexed_sources
    set index_status = 'pending', job_id = null, wanted_at = now(), error_message = null, stats = stats - 'done' - 'total', updated_at = now()
    where id = any($1)";

const FOUND_A_JOB: &str = "update ai.indexed_sources set wanted_at = null where id = any($1)";

/// Vectors of chunks that SQL added, and no host indexed, are made by a host that looks for chunks without one (`index::vectors`).
const FORGET: &str = "
    update ai.chunks c set embedding = null, embedding_model = null
    from ai.knowledge_bases b, ai.embedding_models m
    where b.id = $1 and c.knowledge_base_id = b.id and c.indexed_source_id is null and m.id = c.embedding_model
      and m.name is distinct from b.indexing_config ->> 'embedding_model'";

/// Which sources.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// All of the base.
    All,
    /// Those that could not be indexed.
    Failed,
    /// These.
    Selected(Vec<Uuid>),
}

impl Scope {
    /// The name that clients use.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Failed => "failed",
            Self::Selected(_) => "selected",
        }
    }
}

/// What was begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begun {
    /// How many sources are indexed anew.
    pub(crate) count: usize,
    /// Their jobs, as far as they were added already.
    pub(crate) jobs: Vec<Uuid>,
}

#[derive(Debug, FromRow)]
struct Row {
    id: Uuid,
    job_id: Option<Uuid>,
    is_own: bool,
}

/// Begins.
pub(crate) async fn reindex(
    knowledge: &Knowledge,
    principal: &Principal,
    (base, request_id): (Uuid, &str),
    scope: &Scope,
) -> Result<Begun, KnowledgeProblem> {
    again(async || {
        let mut tx = knowledge.db.begin(principal).await?;
        let found = sqlx::query(BASE).bind(base).fetch_optional(&mut *tx).await?;
        found.ok_or(KnowledgeProblem::NotFound(NO_BASE))?;
        let rows = rows(&mut tx, base, scope).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        sqlx::query(MARK).bind(&ids).execute(&mut *tx).await?;
        let mut begun = Begun { count: rows.len(), jobs: Vec::new() };
        let mut with_job = Vec::new();
        for row in &rows {
            cancel_job(knowledge, &mut tx, row.job_id).await?;
        }
        for row in rows.iter().filter(|row| row.is_own).take(AT_ONCE) {
            match name_job(knowledge, &mut tx, principal, row.id).await {
                Ok(job) => begun.jobs.push(job),
                // Too many of the caller's wait already.
                Err(AddError::Full(_)) => break,
                Err(AddError::Database(error)) => return Err(error.into()),
            }
            with_job.push(row.id);
        }
        sqlx::query(FOUND_A_JOB).bind(with_job).execute(&mut *tx).await?;
        if matches!(scope, Scope::All) {
            sqlx::query(FORGET).bind(base).execute(&mut *tx).await?;
        }
        let details = json!({ "scope": scope.as_str(), "count": begun.count });
        audit::record(&mut tx, principal, audit::REINDEXED, (base, request_id), details).await?;
        tx.commit().await?;
        Ok(begun)
    })
    .await
}

async fn rows(tx: &mut HostTx, base: Uuid, scope: &Scope) -> Result<Vec<Row>, sqlx::Error> {
    let (ids, is_failed) = match scope {
        Scope::All => (None, false),
        Scope::Failed => (None, true),
        Scope::Selected(ids) => (Some(ids), false),
    };
    sqlx::query_as(ROWS).bind(base).bind(ids).bind(is_failed).fetch_all(&mut **tx).await
}
