//! What operators do with jobs: list them, try one again, cancel one.

use behalf_host_db::{Act, HostDb};
use behalf_problem::{Kind, Problem};
use thiserror::Error;

use crate::queue::JobId;
use crate::store::operators;

pub use crate::store::operators::{JobCounts, JobFilter, JobRow, JobState};

/// Why a job is not changed.
#[derive(Debug, Error)]
pub enum JobError {
    /// There is no such job. One that was done is no longer there.
    #[error("Job not found")]
    NotFound,
    /// It did not end yet.
    #[error("the job waits or is under way, so it cannot be tried again")]
    NotEnded,
    /// It ended already.
    #[error("the job has ended already, so it cannot be cancelled")]
    Ended,
    /// Another one with the same unique key waits or is under way.
    #[error("another job for the same work waits or is under way")]
    Another,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Problem for JobError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::NotEnded | Self::Ended | Self::Another => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Database(error) => error.detail(),
            _ => self.to_string(),
        }
    }
}

/// The jobs of one database, for operators. Clones share it.
#[derive(Clone, Debug)]
pub struct JobTable {
    db: HostDb,
}

impl JobTable {
    /// The jobs of this database.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Part of a list of jobs, the latest first, and how many fit the filter.
    pub async fn list(&self, filter: &JobFilter) -> Result<(Vec<JobRow>, i64), sqlx::Error> {
        operators::list(&self.db, filter).await
    }

    /// How many jobs there are in each state.
    pub async fn counts(&self) -> Result<JobCounts, sqlx::Error> {
        operators::counts(&self.db).await
    }

    /// The job of this id.
    pub async fn find(&self, id: JobId) -> Result<Option<JobRow>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let found = operators::find(&mut tx, id).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Lets a job wait again that failed for good or was cancelled. It has all its attempts again.
    pub async fn retry(&self, act: Act<'_>, id: JobId) -> Result<JobRow, JobError> {
        let mut tx = self.db.begin_act(act).await?;
        let retried = match operators::retry(&mut tx, id).await {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => return Err(JobError::Another),
            retried => retried?,
        };
        let Some(row) = retried else {
            let found = operators::find(&mut tx, id).await?;
            return Err(found.map_or(JobError::NotFound, |_| JobError::NotEnded));
        };
        tx.commit().await?;
        Ok(row)
    }

    /// Asks to cancel a job that waits or is under way. A host ends it within a second or so, and tells its feature.
    pub async fn cancel(&self, act: Act<'_>, id: JobId) -> Result<JobRow, JobError> {
        let mut tx = self.db.begin_act(act).await?;
        let Some(row) = operators::ask_to_cancel(&mut tx, id).await? else {
            let found = operators::find(&mut tx, id).await?;
            return Err(found.map_or(JobError::NotFound, |_| JobError::Ended));
        };
        tx.commit().await?;
        Ok(row)
    }
}
