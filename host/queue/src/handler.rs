//! What a feature writes to have its jobs done.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostTx;
use behalf_identity::Principal;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::job::Job;
use crate::queue::{AddError, JobId};

/// Does the jobs of one kind.
pub trait Handler: Send + Sync + 'static {
    /// The kind, such as `sources.extract`. It stands in the table, so it never changes.
    fn kind(&self) -> &'static str;

    /// How long an attempt may take, and how soon the next one follows.
    fn limits(&self) -> JobLimits {
        JobLimits::default()
    }

    /// Makes one attempt. It returns [`Done`] from [`Job::finish`], which stores its effect and takes the job off the list in one
    /// transaction. It is dropped at its deadline, and where it does not end soon after [`Job::stopped`].
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Done, Failure>>;

    /// The job ended without success: what its feature notes of that, in the transaction that ends the job. `tx` was begun in the
    /// name of the job's owner, or in the host's own where [`Ended::principal`] is none.
    fn gave_up<'a>(&'a self, tx: &'a mut HostTx, job: &'a Ended<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

/// Bounds of one kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobLimits {
    /// How long one attempt may take.
    pub deadline: Duration,
    /// About how long after the first failed attempt the second one is made. Each further wait is twice as long.
    pub first_wait: Duration,
    /// The longest wait between two attempts.
    pub longest_wait: Duration,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_mins(10),
            first_wait: Duration::from_secs(5),
            longest_wait: Duration::from_mins(10),
        }
    }
}

/// The job's effect is stored, and the job is off the list. Only [`Job::finish`] makes one.
#[derive(Debug)]
pub struct Done(());

impl Done {
    /// For [`Job::finish`].
    pub(crate) fn stored() -> Self {
        Self(())
    }
}

/// Why an attempt did not end with success.
#[derive(Debug)]
pub enum Failure {
    /// Another attempt may succeed.
    Retry(Box<dyn Error + Send + Sync>),
    /// No further attempt would succeed.
    Final {
        /// A word of a closed list of the feature's.
        code: &'static str,
        /// One sentence for people. It quotes nothing that a user wrote.
        message: String,
    },
    /// The attempt stopped because it was asked to ([`Job::stopped`]), or could not be stored any more.
    Stopped,
}

impl Failure {
    /// Another attempt may succeed.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retry(error.into())
    }
}

/// Some of the owner's jobs may be done until the next attempt.
impl From<AddError> for Failure {
    fn from(error: AddError) -> Self {
        Self::Retry(Box::new(error))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Retry(Box::new(error))
    }
}

/// A job that ended without success.
#[derive(Clone, Debug)]
pub struct Ended<'a> {
    /// Its id.
    pub id: JobId,
    /// Its kind.
    pub kind: &'a str,
    /// Who added it. None for the host's own work, and where the stored identity is not what the project's secrets sealed; then
    /// the statement has to name [`Ended::user_id`] itself.
    pub principal: Option<&'a Arc<Principal>>,
    /// The user whose job it is; none for the service role and the host.
    pub user_id: Option<Uuid>,
    /// What it was about.
    pub payload: &'a Json,
    /// Whether somebody cancelled it. Otherwise it failed for good.
    pub is_cancelled: bool,
    /// Why it failed: a code of the feature's, or `host_lost`, `owner_gone`, `identity`, `deadline`, `panic`, `error`; `cancelled`.
    pub code: &'a str,
    /// One sentence for people.
    pub message: &'a str,
}

/// Says whether the owner of a job may still have it done.
pub trait OwnerCheck: fmt::Debug + Send + Sync {
    /// Whether the user is still there and not banned, as far as the project's `auth.users` says, and the delegation valid. Asked
    /// before each attempt. Where it is not so, the job fails for good with the code `owner_gone`.
    fn may_act<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<bool, sqlx::Error>>;
}
