//! Why an attempt has to stop, and how its handler learns of it.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why an attempt has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody cancelled the job.
    Cancelled,
    /// Another host has the job now, or it is gone. Nothing of this attempt can be stored any more.
    Lost,
    /// This host stops; another one does the job.
    HostStops,
}

/// Tells an attempt to stop. Clones are the same signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopSignal {
    token: CancellationToken,
    reason: Arc<OnceLock<Stop>>,
}

impl StopSignal {
    /// Asks the attempt to stop. The first reason stays.
    pub(crate) fn raise(&self, reason: Stop) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Waits until the attempt has to stop.
    pub(crate) async fn raised(&self) -> Stop {
        self.token.cancelled().await;
        self.reason().unwrap_or(Stop::Lost)
    }

    /// Why it has to stop, if it has to.
    pub(crate) fn reason(&self) -> Option<Stop> {
        self.reason.get().copied()
    }

    /// A token that is cancelled when the attempt has to stop.
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.child_token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays() {
        let signal = StopSignal::default();
        let token = signal.token();
        assert!(signal.reason().is_none() && !token.is_cancelled());
        signal.raise(Stop::Cancelled);
        signal.clone().raise(Stop::HostStops);
        assert_eq!(signal.raised().await, Stop::Cancelled);
        assert!(token.is_cancelled());
    }
}
