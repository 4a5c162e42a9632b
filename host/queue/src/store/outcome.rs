//! What becomes of a job after an attempt that did not finish it. Each statement changes nothing if this host has lost the job.

use std::time::Duration;

use behalf_host_db::{HostDb, HostTx};

use super::lease::JobLease;
use crate::stop::Stop;

/// Why an attempt failed, as operators see it.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    /// A word of a closed list.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: String,
}

impl Reason {
    fn new(code: &'static str, message: &str) -> Self {
        Self { code, message: message.to_owned() }
    }

    /// Somebody cancelled the job.
    pub(crate) fn cancelled() -> Self {
        Self::new("cancelled", "somebody cancelled it")
    }

    /// The hosts of all its attempts were lost.
    pub(crate) fn host_lost() -> Self {
        Self::new("host_lost", "every host that began it was lost before it was done")
    }

    /// Its stored caller is not what this project sealed.
    pub(crate) fn identity() -> Self {
        Self::new("identity", "its stored caller was changed, or sealed with another secret")
    }

    /// Its owner may not act any more.
    pub(crate) fn owner_gone() -> Self {
        Self::new("owner_gone", "its owner is deleted or banned, or the delegation has ended")
    }

    /// The attempt took too long.
    pub(crate) fn deadline() -> Self {
        Self::new("deadline", "it took longer than one attempt may")
    }

    /// The program failed.
    pub(crate) fn panic() -> Self {
        Self::new("panic", "the program that does it crashed")
    }

    /// The handler stopped although nobody asked it to.
    pub(crate) fn stopped() -> Self {
        Self::new("error", "the attempt stopped by itself")
    }

    /// The handler failed. The text is one for logs.
    pub(crate) fn error(text: &str) -> Self {
        Self::new("error", text)
    }
}

const RETRY: &str = "
    update behalf.jobs
    set state = 'delayed', run_at = now() + $4 * interval '1 second', host_id = null, leased_until = null, progress = null,
        error_code = $5, error_message = $6
    where id = $1 and epoch = $2 and host_id = $3 and state = 'running'";

/// The attempt does not count.
const RELEASE: &str = "
    update behalf.jobs
    set state = case when $4 > 0 then 'delayed' else 'ready' end, run_at = now() + $4 * interval '1 second',
        attempts = greatest(attempts - 1, 0), host_id = null, leased_until = null, progress = null
    where id = $1 and epoch = $2 and host_id = $3 and state = 'running'";

const END: &str = "
    update behalf.jobs
    set state = $4, ended_at = now(), host_id = null, leased_until = null, error_code = $5, error_message = $6
    where id = $1 and epoch = $2 and host_id = $3 and state = 'running'";

/// Tries the job again after a while.
pub(crate) async fn retry(db: &HostDb, lease: &JobLease, wait: Duration, reason: &Reason) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    sqlx::query(RETRY)
        .bind(lease.id)
        .bind(lease.epoch)
        .bind(lease.host)
        .bind(wait.as_secs_f64())
        .bind(reason.code)
        .bind(&reason.message)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Gives the job back as if this attempt had not been made.
pub(crate) async fn release(db: &HostDb, lease: &JobLease, wait: Duration) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    sqlx::query(RELEASE)
        .bind(lease.id)
        .bind(lease.epoch)
        .bind(lease.host)
        .bind(wait.as_secs_f64())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Ends the job without success, in `tx`; false where this host has lost it.
pub(crate) async fn end(
    tx: &mut HostTx,
    lease: &JobLease,
    is_cancelled: bool,
    reason: &Reason,
) -> Result<bool, sqlx::Error> {
    let ended = sqlx::query(END)
        .bind(lease.id)
        .bind(lease.epoch)
        .bind(lease.host)
        .bind(if is_cancelled { "cancelled" } else { "dead" })
        .bind(reason.code)
        .bind(&reason.message)
        .execute(&mut **tx)
        .await?;
    Ok(ended.rows_affected() > 0)
}

/// Why an attempt could not store anything any more; none where nothing stood against it.
pub(crate) async fn why_stopped(db: &HostDb, lease: &JobLease) -> Result<Option<Stop>, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let is_cancelled: Option<bool> = sqlx::query_scalar(
        "select cancel_asked_at is not null from behalf.jobs
         where id = $1 and epoch = $2 and host_id = $3 and state = 'running'",
    )
    .bind(lease.id)
    .bind(lease.epoch)
    .bind(lease.host)
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(match is_cancelled {
        Some(true) => Some(Stop::Cancelled),
        Some(false) => None,
        None => Some(Stop::Lost),
    })
}
