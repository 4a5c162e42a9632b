//! The lease on a blob that is being written.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::BlobError;
use crate::id::BlobId;
use crate::ledger::Ledger;

/// How often a writer says that it is still there, at the least.
const RENEW: Duration = Duration::from_mins(1);

/// The lease on a blob that is being written: while it is renewed, nobody deletes the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    /// None for bytes that are in no list, such as those of a check.
    listed: Option<(Ledger, BlobId)>,
    /// How long the bytes are kept beyond the usual time.
    beyond: Duration,
    every: Duration,
    due: Instant,
}

impl Lease {
    /// The lease on a blob that was just listed.
    pub(crate) fn new(ledger: Ledger, id: BlobId, abandoned_after: Duration, beyond: Duration) -> Self {
        // A turn that comes late, by a busy machine, is still in time.
        let every = RENEW.min(abandoned_after / 4);
        Self { listed: Some((ledger, id)), beyond, every, due: Instant::now() + every }
    }

    /// For bytes that are in no list.
    pub(crate) fn unlisted() -> Self {
        Self { listed: None, beyond: Duration::ZERO, every: RENEW, due: Instant::now() + RENEW }
    }

    /// When it has to be renewed.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Renews it. [`BlobError::Gone`] if the blob was given up meanwhile, by whoever found that its writer fell silent.
    pub(crate) async fn renew(&mut self) -> Result<(), BlobError> {
        if let Some((ledger, id)) = &self.listed {
            ledger.touch(*id, self.beyond).await?;
        }
        self.due = Instant::now() + self.every;
        Ok(())
    }

    /// Renews it if it is time: before a step after which bytes would be there that nobody lists, if the host had stood still.
    pub(crate) async fn renew_if_due(&mut self) -> Result<(), BlobError> {
        if Instant::now() >= self.due { self.renew().await } else { Ok(()) }
    }
}
