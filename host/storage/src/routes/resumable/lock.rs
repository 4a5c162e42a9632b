//! The lock of an upload: one request at a time works on it, whichever host it came to.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use behalf_blobs::PartUpload;
use behalf_problem::LogText as _;
use tokio::time::{Instant, interval_at, sleep, timeout};
use uuid::Uuid;

use super::answer::TusError;
use crate::state::Storage;
use crate::store::uploads::{self, LEASE, Renewal, Upload};

/// How often a lock is renewed. The request that waits for it is heard of then.
const RENEWAL: Duration = Duration::from_secs(2);
/// How long a request waits for a lock: a little longer than the lock of a host that was killed lasts.
const WAIT: Duration = Duration::from_secs(13);
/// How often it tries.
const TRY_EVERY: Duration = Duration::from_millis(250);

/// A lock of an upload. It has to be released; where that is impossible, it runs out.
#[derive(Debug)]
pub(super) struct UploadLock {
    id: Uuid,
    lock: Uuid,
}

impl UploadLock {
    /// The lock with which a new upload is stored.
    pub(super) fn of_new(id: Uuid) -> Self {
        Self { id, lock: Uuid::new_v4() }
    }

    /// Waits for the lock of an upload.
    pub(super) async fn take(storage: &Storage, id: Uuid) -> Result<(Self, Upload), TusError> {
        let (this, end) = (Self::of_new(id), Instant::now() + WAIT);
        loop {
            if let Some(upload) = uploads::lock(&storage.db, id, this.lock).await? {
                return Ok((this, upload));
            }
            if uploads::find(&storage.db, id).await?.is_none() {
                return Err(TusError::not_found());
            }
            if Instant::now() >= end {
                return Err(TusError::new(503, "acquiring lock timeout"));
            }
            sleep(TRY_EVERY).await;
        }
    }

    /// Who has it.
    pub(super) fn key(&self) -> Uuid {
        self.lock
    }

    /// Renews it, and stores what came.
    pub(super) async fn store(&self, storage: &Storage, parts: &PartUpload) -> Result<Renewal, sqlx::Error> {
        let progress = Some((parts, storage.options.upload_expiry));
        uploads::renew(&storage.db, self.id, self.lock, progress).await
    }

    /// Renews the lock while something is done. `stop` is called once another request waits for the lock or it can no longer be
    /// renewed; what is done has to end soon then.
    pub(super) async fn hold<T>(
        &self,
        storage: &Storage,
        stop: impl Fn() + Send,
        work: impl Future<Output = T> + Send,
    ) -> T {
        let mut work = pin!(work);
        let mut ticks = interval_at(Instant::now() + RENEWAL, RENEWAL);
        let mut held_until = Instant::now() + LEASE;
        loop {
            tokio::select! {
                done = &mut work => return done,
                at = ticks.tick() => match timeout(RENEWAL, uploads::renew(&storage.db, self.id, self.lock, None)).await {
                    Ok(Ok(Renewal::Kept)) => held_until = at + LEASE,
                    Ok(Ok(Renewal::Wanted | Renewal::Lost)) => stop(),
                    // Another request may lock it then, and both would write.
                    Ok(Err(_)) | Err(_) if Instant::now() + RENEWAL * 2 >= held_until => stop(),
                    Ok(Err(_)) | Err(_) => {}
                },
            }
        }
    }

    /// Frees it. `completed` says that the object's row names the bytes.
    pub(super) async fn release(self, storage: &Storage, completed: bool) {
        if let Err(error) = uploads::unlock(&storage.db, self.id, self.lock, completed).await {
            tracing::warn!(error = error.log_text(), "a lock of an upload could not be freed; it runs out");
        }
    }

    /// Deletes the upload's row.
    pub(super) async fn delete_row(self, storage: &Storage) -> Result<(), sqlx::Error> {
        uploads::delete(&storage.db, self.id, self.lock).await
    }
}
