//! `/api/jobs`, for the service role only.

use axum::extract::{FromRef, State};
use behalf_web::{Administrator, ApiError, Json, Page, Path, Query, Routes, ServiceCaller, Web, input, routes};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::operators::{JobCounts, JobFilter, JobRow, JobState, JobTable};
use crate::queue::{JobId, Queue};

const NO_JOB: &str = "Job not found";

/// Rows of a list where a client asks for no number.
const DEFAULT_ROWS: i64 = 50;
/// Most rows of one answer.
const MAX_ROWS: i64 = 200;

/// What the routes need.
#[derive(Clone, Debug)]
struct JobRoutes {
    web: Web,
    table: JobTable,
}

impl FromRef<JobRoutes> for Web {
    fn from_ref(routes: &JobRoutes) -> Self {
        routes.web.clone()
    }
}

/// The routes of jobs.
pub fn routes(web: Web, queue: &Queue) -> Routes {
    Routes::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(retry))
        .routes(routes!(cancel))
        .with_state(JobRoutes { web, table: JobTable::new(queue.db.clone()) })
}

/// Which jobs to answer with: those that fit every parameter that is given.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct JobQuery {
    /// In this state.
    #[param(inline)]
    state: Option<JobState>,
    /// Of this kind, such as `sources.extract`.
    kind: Option<String>,
    /// Of this lane, such as `documents`.
    lane: Option<String>,
    /// Of this owner: `user:` and an id, `service` or `host`.
    owner: Option<String>,
    /// Rows, 200 at most; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
}

/// Jobs, the latest first.
#[derive(Debug, Serialize, ToSchema)]
struct JobList {
    jobs: Vec<JobRow>,
    /// How many jobs fit the parameters.
    total: i64,
    /// How many jobs there are in each state, whatever the parameters.
    counts: JobCounts,
    /// Most rows of this answer.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// Lists background jobs that wait, are under way, failed for good or were cancelled. A job that was done is no longer there.
#[utoipa::path(
    get,
    path = "/api/jobs",
    operation_id = "list_jobs",
    tag = "Jobs",
    params(JobQuery),
    responses((status = 200, description = "Jobs, the latest first", body = JobList))
)]
async fn list(
    State(jobs): State<JobRoutes>,
    ServiceCaller(_): ServiceCaller,
    Query(query): Query<JobQuery>,
) -> Result<Json<JobList>, ApiError> {
    let JobQuery { state, kind, lane, owner, limit, offset } = query;
    let page = Page::new(limit, offset, DEFAULT_ROWS, MAX_ROWS);
    let (rows, total) = jobs.table.list(&JobFilter { state, kind, lane, owner, page }).await?;
    let counts = jobs.table.counts().await?;
    Ok(Json(JobList { jobs: rows, total, counts, limit: page.limit, offset: page.offset }))
}

/// Shows a job.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}",
    operation_id = "show_job",
    tag = "Jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = JobRow))
)]
async fn show(
    State(jobs): State<JobRoutes>,
    ServiceCaller(_): ServiceCaller,
    Path(id): Path<String>,
) -> Result<Json<JobRow>, ApiError> {
    let found = jobs.table.find(JobId(input::id(&id, NO_JOB)?)).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found(NO_JOB))
}

/// Lets a job wait again that failed for good or was cancelled. It has all its attempts again.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/retry",
    operation_id = "retry_job",
    tag = "Jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "The job, which waits now", body = JobRow))
)]
async fn retry(
    State(jobs): State<JobRoutes>,
    administrator: Administrator,
    Path(id): Path<String>,
) -> Result<Json<JobRow>, ApiError> {
    Ok(Json(jobs.table.retry(administrator.act(), JobId(input::id(&id, NO_JOB)?)).await?))
}

/// Asks to cancel a job that waits or is under way. A host ends it within a second or so.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/cancel",
    operation_id = "cancel_job",
    tag = "Jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "The job, with `cancel_asked_at`", body = JobRow))
)]
async fn cancel(
    State(jobs): State<JobRoutes>,
    administrator: Administrator,
    Path(id): Path<String>,
) -> Result<Json<JobRow>, ApiError> {
    Ok(Json(jobs.table.cancel(administrator.act(), JobId(input::id(&id, NO_JOB)?)).await?))
}
