//! The door for requests of apps: statements that the planner made, in the caller's transaction.
//!
//! These requests wait in the same lines and use the same connections as tools do. Their statements do not pass the gate: only
//! the planner can make one, from identifiers of its cache and from parameters.

mod attempt;
mod error;
mod log;
mod record;

use std::time::Duration;

use behalf_host_db::bind::HttpRequest;
use behalf_identity::{CallerKey, Principal};
use behalf_rest_plan::{Access, Answer, Plan, Statement};
use bytes::Bytes;
use fallible_iterator::FallibleIterator;
use futures::future::BoxFuture;
use postgres_protocol::message::backend::DataRowBody;

use super::CallerDb;
use super::identity::{may_repeat, settle};
use super::tool_pool::Lease;
use attempt::Attempt;

pub use error::{AppError, UNKNOWN_COMMIT};
pub use log::AppLog;
pub use record::AppRecord;

/// Limits on one request of an app.
#[derive(Clone, Copy, Debug)]
pub struct AppLimits {
    /// The most bytes of an answer.
    pub max_bytes: usize,
    /// How long a request may take once it has a connection.
    pub deadline: Duration,
}

/// One request of an app: what to run, and as whom.
#[derive(Clone, Copy, Debug)]
pub struct AppRequest<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// Whose share of the connections it uses.
    pub key: CallerKey,
    /// What runs.
    pub plan: &'a Plan,
    /// What the app's functions may read of the request; none where nothing in the database reads it.
    pub http: Option<HttpRequest<'a>>,
    /// The schemas in which unqualified names in the app's functions are looked up.
    pub search_path: &'a [&'a str],
    /// Its limits.
    pub limits: AppLimits,
}

/// The row that answers a request. Its values share the memory in which they arrived.
#[derive(Debug)]
pub enum AppRow {
    /// What the statement returned.
    Row(DataRowBody),
    /// Lines of text as the one column of a row.
    Lines(Bytes),
}

impl AppRow {
    /// The columns as text; `None` is NULL.
    pub fn columns(&self) -> Vec<Option<&[u8]>> {
        let row = match self {
            Self::Row(row) => row,
            Self::Lines(text) => return vec![Some(text)],
        };
        let (mut columns, mut ranges) = (Vec::with_capacity(8), row.ranges());
        while let Ok(Some(range)) = ranges.next() {
            columns.push(range.and_then(|range| row.buffer().get(range)));
        }
        columns
    }

    /// One column without copying it.
    pub fn bytes(&self, column: usize) -> Option<Bytes> {
        let row = match self {
            Self::Row(row) => row,
            Self::Lines(text) => return (column == 0).then(|| text.clone()),
        };
        let range = row.ranges().nth(column).ok()???;
        let whole = row.buffer_bytes();
        (range.end <= whole.len()).then(|| whole.slice(range))
    }
}

/// How a request was answered.
#[derive(Debug)]
pub struct AppAnswer {
    /// The answer.
    pub answer: Answer,
    /// The row that it was made of.
    pub row: AppRow,
    /// The id of the transaction, if it wrote.
    pub transaction: Option<String>,
}

impl CallerDb {
    /// Runs the plan of an app's request as its caller. If this is dropped, the statement is cancelled and the transaction rolls
    /// back, unless its commit has begun.
    pub fn run_plan<'a>(&'a self, request: AppRequest<'a>) -> BoxFuture<'a, Result<AppAnswer, AppError>> {
        Box::pin(async move {
            let pool = &self.shared.pool;
            let mut lease = pool.lease(request.principal.role(), request.key, pool.max_wait).await?;
            let work = run(&mut lease, &request);
            let done = tokio::time::timeout(request.limits.deadline, work).await;
            done.unwrap_or(Err(AppError::Deadline(request.limits.deadline)))
        })
    }

    /// The log of apps' requests.
    pub fn app_log(&self) -> &AppLog {
        &self.shared.app_log
    }
}

/// Runs the plan, and again if nothing of it was done because of a stale statement or of a connection that had broken.
async fn run(lease: &mut Lease, request: &AppRequest<'_>) -> Result<AppAnswer, AppError> {
    let set_claims = attempt::binding_of(request);
    let attempt = Attempt::new(request, &set_claims);
    let mut result = attempt.run(lease).await;
    if let Err(error) = &result {
        let plan = request.plan;
        let statements = [&plan.pre_request, &plan.explain].into_iter().flatten().chain([&plan.main]);
        let only_reads = plan.access == Access::Read;
        if may_repeat(lease, only_reads, error, statements.map(Statement::text)).await? {
            result = attempt.run(lease).await;
        }
    }
    settle(lease, &result);
    result
}
