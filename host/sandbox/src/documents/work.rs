//! The end of one reading: why it has to end, and how its thread hears of it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::failure::{ReadFailure, ReaderError, Refusal};
use super::limits::DocumentLimits;

/// Why the host ends a component in the middle of its work. It becomes the trap that ends it.
#[derive(Debug, Error)]
pub(super) enum Ended {
    #[error("the document is wanted no more")]
    Stopped,
    #[error("the time is over")]
    TooSlow,
    #[error("the processor time is over")]
    Deadline,
    #[error("there is more text than there may be")]
    TooMuchText,
    #[error("there are more pages than there may be")]
    TooManyPages,
    #[error("the component ended itself")]
    Crashed,
    #[error("the bytes cannot be read")]
    File(#[source] io::Error),
}

impl Ended {
    pub(super) fn into_failure(self, limits: &DocumentLimits) -> ReadFailure {
        match self {
            Self::Stopped => ReadFailure::Stopped,
            Self::TooSlow => ReaderError::TooSlow(limits.wall_time).into(),
            Self::Deadline => ReadFailure::Document(Refusal::Deadline),
            Self::TooMuchText => ReadFailure::Document(Refusal::TooMuchText),
            Self::TooManyPages => ReadFailure::Document(Refusal::TooManyPages),
            Self::Crashed => ReadFailure::Document(Refusal::Crashed),
            Self::File(error) => ReaderError::File(error).into(),
        }
    }
}

/// How much longer one reading may go on. Its thread asks at every tick of the clock, and hears at once when it waits.
#[derive(Debug)]
pub(super) struct Time {
    /// Cancelled where nobody waits for the reading any more.
    stop: CancellationToken,
    /// Whether the wall time is over.
    is_over: AtomicBool,
    end: Instant,
    processor: Duration,
}

impl Time {
    pub(super) fn new(limits: &DocumentLimits) -> Self {
        Self {
            stop: CancellationToken::new(),
            is_over: AtomicBool::new(false),
            end: Instant::now() + limits.wall_time,
            processor: limits.processor_time,
        }
    }

    /// When the wall time is over.
    pub(super) fn end(&self) -> Instant {
        self.end
    }

    /// Ends the reading, because the wall time is over.
    pub(super) fn is_over(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.stop.cancel();
    }

    /// Ends the reading, because nobody wants it.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Resolves when the reading has to end.
    pub(super) async fn stopped(&self) -> Ended {
        self.stop.cancelled().await;
        self.why()
    }

    fn why(&self) -> Ended {
        if self.is_over.load(Ordering::Relaxed) { Ended::TooSlow } else { Ended::Stopped }
    }

    /// Whether the reading has to end now. On the reading's own thread, whose processor time counts.
    pub(super) fn check(&self) -> Result<(), Ended> {
        if self.stop.is_cancelled() {
            return Err(self.why());
        }
        if spent() > self.processor {
            return Err(Ended::Deadline);
        }
        if Instant::now() > self.end { Err(Ended::TooSlow) } else { Ok(()) }
    }
}

/// The processor time of this thread since it began.
pub(super) fn spent() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
