//! Jobs as operators see them: without payload and identity, which may hold what users wrote.

use behalf_host_db::{HostDb, HostTx};
use behalf_web::Page;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::queue::JobId;

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits for a place.
    Ready,
    /// It waits for its time.
    Delayed,
    /// It is under way.
    Running,
    /// It failed for good.
    Dead,
    /// It was cancelled.
    Cancelled,
}

impl JobState {
    /// The name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Delayed => "delayed",
            Self::Running => "running",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Which jobs to list: those that fit everything that is given, the latest first.
#[derive(Clone, Debug)]
pub struct JobFilter {
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this lane.
    pub lane: Option<String>,
    /// Of this owner, as in a row.
    pub owner: Option<String>,
    /// Which part of the list.
    pub page: Page,
}

/// A job as operators see it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobRow {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub id: JobId,
    /// The set of places that it needs one of.
    pub lane: String,
    /// What kind of work it is.
    pub kind: String,
    /// `user:` and an id, `service` for the service role in its own name, or `host`.
    pub owner: String,
    /// `ready`, `delayed`, `running`, `dead` or `cancelled`.
    pub state: String,
    /// How often a host began it.
    pub attempts: i32,
    /// How often hosts may.
    pub max_attempts: i32,
    /// When it became ready, or becomes ready. RFC 3339.
    pub run_at: String,
    /// How far it is: `done`, and `total` where that is known.
    #[schema(value_type = Option<Object>)]
    pub progress: Option<Json>,
    /// Why its last attempt failed: a word of a closed list.
    pub error_code: Option<String>,
    /// The same in one sentence.
    pub error_message: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// When it was begun first. RFC 3339.
    pub started_at: Option<String>,
    /// When it failed for good or was cancelled. RFC 3339.
    pub ended_at: Option<String>,
    /// When somebody asked to cancel it. RFC 3339.
    pub cancel_asked_at: Option<String>,
    /// The host that works on it.
    pub host: Option<Uuid>,
}

/// How many jobs there are in each state.
#[derive(Clone, Copy, Debug, FromRow, Serialize, ToSchema)]
pub struct JobCounts {
    /// Jobs that wait for a place.
    pub ready: i64,
    /// Jobs that wait for their time.
    pub delayed: i64,
    /// Jobs under way.
    pub running: i64,
    /// Jobs that failed for good and are kept.
    pub dead: i64,
    /// Jobs that were cancelled and are kept.
    pub cancelled: i64,
}

macro_rules! columns {
    () => {
        "id, lane, kind, owner, state, attempts, max_attempts, to_json(run_at) #>> '{}' as run_at, progress, error_code, error_message,
         to_json(created_at) #>> '{}' as created_at, to_json(started_at) #>> '{}' as started_at,
         to_json(ended_at) #>> '{}' as ended_at, to_json(cancel_asked_at) #>> '{}' as cancel_asked_at, host_id as host"
    };
}

macro_rules! fits {
    () => {
        " from behalf.jobs where ($1::text is null or state = $1) and ($2::text is null or kind = $2)
            and ($3::text is null or lane = $3) and ($4::text is null or owner = $4)"
    };
}

/// From what counts the owners' jobs where that is known, and else from indexes that have the few others.
const COUNTS: &str = "
    select coalesce(sum(o.ready), 0)::bigint as ready, coalesce(sum(o.running), 0)::bigint as running,
        (select count(*) from behalf.jobs where state = 'delayed') as delayed,
        (select count(*) from behalf.jobs where state = 'dead') as dead,
        (select count(*) from behalf.jobs where state = 'cancelled') as cancelled
    from behalf.job_owners o";

/// Part of a list of jobs, and how many fit.
pub(crate) async fn list(db: &HostDb, filter: &JobFilter) -> Result<(Vec<JobRow>, i64), sqlx::Error> {
    let state = filter.state.map(JobState::as_str);
    let mut tx = db.begin_as_host().await?;
    let rows = sqlx::query_as(concat!("select ", columns!(), fits!(), " order by jobs.id desc limit $5 offset $6"))
        .bind(state)
        .bind(&filter.kind)
        .bind(&filter.lane)
        .bind(&filter.owner)
        .bind(filter.page.limit)
        .bind(filter.page.offset)
        .fetch_all(&mut *tx)
        .await?;
    let total = sqlx::query_scalar(concat!("select count(*)", fits!()))
        .bind(state)
        .bind(&filter.kind)
        .bind(&filter.lane)
        .bind(&filter.owner)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok((rows, total))
}

/// How many jobs there are.
pub(crate) async fn counts(db: &HostDb) -> Result<JobCounts, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let counts = sqlx::query_as(COUNTS).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(counts)
}

/// The job of this id.
pub(crate) async fn find(tx: &mut HostTx, id: JobId) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as(concat!("select ", columns!(), " from behalf.jobs where id = $1"))
        .bind(id)
        .fetch_optional(&mut **tx)
        .await
}

/// Lets a job wait again that failed for good or was cancelled, as if it had never been tried; none where it is not one of these.
pub(crate) async fn retry(tx: &mut HostTx, id: JobId) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as(concat!(
        "update behalf.jobs
         set state = 'ready', run_at = now(), attempts = 0, cancel_asked_at = null, progress = null, error_code = null,
             error_message = null, started_at = null, ended_at = null
         where id = $1 and state in ('dead', 'cancelled') returning ",
        columns!()
    ))
    .bind(id)
    .fetch_optional(&mut **tx)
    .await
}

/// Asks to cancel a job that waits or is under way; none where it is not one of these. A host that knows its kind ends it.
pub(crate) async fn ask_to_cancel(tx: &mut HostTx, id: JobId) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as(concat!(
        "update behalf.jobs set cancel_asked_at = coalesce(cancel_asked_at, now())
         where id = $1 and state in ('ready', 'delayed', 'running') returning ",
        columns!()
    ))
    .bind(id)
    .fetch_optional(&mut **tx)
    .await
}
