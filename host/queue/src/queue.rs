//! Adds jobs and cancels them, in the transactions of the features whose jobs they are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::{HostDb, HostTx};
use behalf_identity::{Principal, PrincipalSeal};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::identity;
use crate::store::jobs;

/// The id of a job. Ids are in the order in which jobs were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct JobId(pub Uuid);

impl JobId {
    /// A new id.
    pub(crate) fn make() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A job to add.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    /// The set of places that it needs one of, such as `documents`.
    pub lane: &'static str,
    /// Whose work it is: [`Handler::kind`](crate::Handler::kind).
    pub kind: &'static str,
    /// Names what the job is about, if only one such job of this kind may wait or be under way at a time, whoever adds it. So it is an
    /// id of the host's, which no caller can choose.
    pub unique_key: Option<&'a str>,
    /// What the handler needs to know. It is not sealed: ids whose rows the handler reads as the job's owner, and no rights.
    pub payload: Json,
    /// How often it is tried at most, at least once.
    pub max_attempts: u32,
    /// How long it waits at least before it is tried.
    pub delay: Duration,
}

/// What became of a job that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is a new one.
    New(JobId),
    /// One with the same unique key waits or is under way.
    There(JobId),
}

impl Added {
    /// The job's id.
    pub fn id(self) -> JobId {
        match self {
            Self::New(id) | Self::There(id) => id,
        }
    }
}

/// Why a job was not added.
#[derive(Debug, Error)]
pub enum AddError {
    /// So many jobs of this owner wait in the lane, and no more may. The job is not there, and the transaction can go on.
    #[error("{0} jobs wait already, and no more may")]
    Full(u32),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What became of a job that was to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It waited, and never runs if the transaction is committed. [`Handler::gave_up`](crate::Handler::gave_up) is not called: the
    /// transaction notes itself what has to be noted.
    Ended,
    /// It is under way. If the transaction is committed, nothing of it is stored any more; its host stops it within a second or so,
    /// and then calls [`Handler::gave_up`](crate::Handler::gave_up).
    Asked,
    /// There is none that waits or is under way, or it is not this caller's.
    None,
}

/// The jobs of one database. Clones share it.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(crate) db: HostDb,
    pub(crate) seal: Arc<PrincipalSeal>,
    max_waiting: Option<u32>,
}

impl Queue {
    /// The jobs of this database, whose callers `seal` stores and restores.
    pub fn new(db: HostDb, seal: Arc<PrincipalSeal>) -> Self {
        Self { db, seal, max_waiting: None }
    }

    /// Lets so many jobs of one owner wait in a lane, and no more; any number where 0. Jobs that wait for another attempt do not count:
    /// each had a place once.
    #[must_use]
    pub fn with_max_waiting(self, most: u32) -> Self {
        Self { max_waiting: (most > 0).then_some(most), ..self }
    }

    /// Adds a job in `tx`, which was begun for `principal` with [`HostDb::begin`]. Who owns the job comes from the claims of `tx`. It
    /// locks what counts the owner's jobs until `tx` ends, so it should be among the last statements.
    ///
    /// # Errors
    ///
    /// [`AddError::Full`], and the database's, also for a caller without an identity, who cannot own a job.
    pub async fn add(&self, tx: &mut HostTx, principal: &Principal, job: &NewJob<'_>) -> Result<Added, AddError> {
        let id = JobId::make();
        let identity = identity::sealed(&self.seal, id, principal);
        let added = jobs::add(tx, id, Some(&identity), job).await?;
        self.within_bound(tx, added).await
    }

    /// Adds many jobs in `tx`, as [`Queue::add`] does one, with one statement. Returns how many it added: those with the unique key
    /// of a job that is there are not. It knows no bound: it is for callers who add so many on purpose.
    pub async fn add_all(
        &self,
        tx: &mut HostTx,
        principal: &Principal,
        jobs: &[NewJob<'_>],
    ) -> Result<u64, sqlx::Error> {
        let seal = |id| (id, identity::sealed(&self.seal, id, principal));
        let sealed: Vec<_> = jobs.iter().map(|_| seal(JobId::make())).collect();
        jobs::add_all(tx, &sealed, jobs).await
    }

    /// Adds work of the host's own in `tx`, which was begun with [`HostDb::begin_as_host`].
    ///
    /// # Errors
    ///
    /// As those of [`Queue::add`].
    pub async fn add_as_host(&self, tx: &mut HostTx, job: &NewJob<'_>) -> Result<Added, AddError> {
        let added = jobs::add(tx, JobId::make(), None, job).await?;
        self.within_bound(tx, added).await
    }

    /// Takes back a job that is one too many. The count of its owner is locked since it was added, so two transactions at the same time
    /// do not both get the last place.
    async fn within_bound(&self, tx: &mut HostTx, added: Added) -> Result<Added, AddError> {
        if let (Some(most), Added::New(id)) = (self.max_waiting, added)
            && jobs::waiting_beside(tx, id).await? > i64::from(most)
        {
            jobs::take_back(tx, id).await?;
            return Err(AddError::Full(most));
        }
        Ok(added)
    }

    /// Cancels a job in `tx`, which was begun for its owner or for the service role.
    pub async fn cancel(&self, tx: &mut HostTx, id: JobId) -> Result<Cancel, sqlx::Error> {
        jobs::cancel(tx, id).await
    }
}
