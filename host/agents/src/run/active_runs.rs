//! The runs that this host works on. Nothing here has to last: rows hold what became of a run, this only wakes and stops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use behalf_fair_queue::{FairQueue, Work};
use behalf_identity::CallerKey;
use tokio::sync::{Notify, watch};

use super::place::{RunPlace, RunPlaces};
use crate::store::RunLease;

/// Runs at once on one host. Each holds its conversation in memory.
const MAX_RUNS: usize = 1_000;

/// Why a run is to stop before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Somebody asked for it.
    Cancelled,
    /// The host shuts down; the run goes on elsewhere.
    HostStops,
    /// The lease is lost: another host works on the run, or the run is gone.
    LeaseLost,
}

/// Why this host has no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// It shuts down.
    Closing,
    /// It has too many.
    Busy,
}

#[derive(Debug, Default)]
struct Runs {
    by_id: HashMap<String, Handle>,
    /// Slots of runs that have no row yet.
    reserved: usize,
    closing: bool,
}

#[derive(Debug)]
struct Handle {
    epoch: i64,
    is_mirrored: bool,
    stop: watch::Sender<Option<StopReason>>,
    stored: watch::Receiver<i64>,
}

/// The runs of this host.
#[derive(Debug)]
pub(crate) struct ActiveRuns {
    runs: Mutex<Runs>,
    places: RunPlaces,
    freed: Notify,
    /// Whether this host leaves the runs that there are to others.
    leaving: watch::Sender<bool>,
}

/// A slot for a run. Dropped, it is free, and the run is no longer active here.
#[derive(Debug)]
pub(crate) struct RunSlot {
    active: Arc<ActiveRuns>,
    lease: Option<RunLease>,
    place: Arc<RunPlace>,
}

/// The channel that tells the number of a run's last event, and the one that tells why the run is to stop.
pub(crate) type RunSignals = (watch::Sender<i64>, watch::Receiver<Option<StopReason>>);

impl Default for ActiveRuns {
    fn default() -> Self {
        Self::new(MAX_RUNS)
    }
}

impl ActiveRuns {
    /// Makes room for so many runs.
    fn new(places: usize) -> Self {
        Self {
            runs: Mutex::default(),
            places: RunPlaces::new(FairQueue::new(places, Work::Long)),
            freed: Notify::new(),
            leaving: watch::Sender::new(false),
        }
    }

    /// Reserves a slot for a run that is about to begin. Callers share the slots fairly; each waits in its own line, no longer
    /// than `max_wait`.
    pub(crate) async fn reserve(self: &Arc<Self>, key: CallerKey, max_wait: Duration) -> Result<RunSlot, NoSlot> {
        if self.lock().closing {
            return Err(NoSlot::Closing);
        }
        let place = self.places.queue().acquire_within(key, max_wait).await.ok_or(NoSlot::Busy)?;
        let mut runs = self.lock();
        if runs.closing {
            return Err(NoSlot::Closing);
        }
        runs.reserved += 1;
        drop(runs);
        let place = Arc::new(self.places.of_run(key, place));
        Ok(RunSlot { active: Arc::clone(self), lease: None, place })
    }

    /// Stops a run; false where this host does not work on it.
    pub(crate) fn stop(&self, run_id: &str, reason: StopReason) -> bool {
        let runs = self.lock();
        let Some(handle) = runs.by_id.get(run_id) else { return false };
        // The first reason stands.
        handle.stop.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason);
            }
            first
        });
        true
    }

    /// The number of the run's last event, as it grows; none where this host does not work on the run. The channel closes when
    /// the run ends.
    pub(crate) fn follow(&self, run_id: &str) -> Option<watch::Receiver<i64>> {
        self.lock().by_id.get(run_id).map(|handle| handle.stored.clone())
    }

    /// The leases on the active runs.
    pub(crate) fn leases(&self) -> Vec<RunLease> {
        let lease = |(run_id, handle): (&String, &Handle)| RunLease {
            run_id: run_id.clone(),
            epoch: handle.epoch,
            is_mirrored: handle.is_mirrored,
        };
        self.lock().by_id.iter().map(lease).collect()
    }

    /// Whether a run is being left to another host.
    pub(crate) fn has_left(&self, run_id: &str) -> bool {
        let runs = self.lock();
        let stop = runs.by_id.get(run_id).and_then(|handle| *handle.stop.borrow());
        matches!(stop, Some(StopReason::HostStops | StopReason::LeaseLost))
    }

    /// Whether this host takes no more runs.
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Waits until this host leaves the runs that there are to others. Whoever waits for one here is to be told.
    pub(crate) async fn leaves(&self) {
        // The sender is `self`, so it lives.
        self.leaving.subscribe().wait_for(|leaving| *leaving).await.ok();
    }

    /// Takes no more runs and waits for those there are. After `grace` they are stopped and get as long to say so.
    pub(crate) async fn close(&self, grace: Duration) {
        self.lock().closing = true;
        let ended = tokio::time::timeout(grace, self.empty()).await.is_ok();
        // Runs of other hosts may be waited for here, too.
        self.leaving.send_replace(true);
        if ended {
            return;
        }
        for lease in self.leases() {
            self.stop(&lease.run_id, StopReason::HostStops);
        }
        tokio::time::timeout(grace, self.empty()).await.ok();
    }

    async fn empty(&self) {
        loop {
            let freed = self.freed.notified();
            let mut freed = std::pin::pin!(freed);
            freed.as_mut().enable();
            let none = {
                let runs = self.lock();
                runs.by_id.is_empty() && runs.reserved == 0
            };
            if none {
                return;
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunSlot {
    /// The run's place among those that work at once.
    pub(crate) fn place(&self) -> &RunPlace {
        &self.place
    }

    /// Marks the run active: it has its row, and this host renews its lease from now on.
    pub(crate) fn activate(&mut self, lease: &RunLease, last_seq: i64) -> RunSignals {
        let (stored, seen) = watch::channel(last_seq);
        let (stop, stopped) = watch::channel(None);
        let mut runs = self.active.lock();
        runs.reserved = runs.reserved.saturating_sub(1);
        runs.by_id.insert(
            lease.run_id.clone(),
            Handle { epoch: lease.epoch, is_mirrored: lease.is_mirrored, stop, stored: seen },
        );
        self.lease = Some(lease.clone());
        drop(runs);
        (stored, stopped)
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        let mut runs = self.active.lock();
        match &self.lease {
            Some(lease) => {
                // This host may have reclaimed the run from itself; then another slot has it.
                if runs.by_id.get(&lease.run_id).is_some_and(|handle| handle.epoch == lease.epoch) {
                    runs.by_id.remove(&lease.run_id);
                }
            }
            None => runs.reserved = runs.reserved.saturating_sub(1),
        }
        drop(runs);
        self.active.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ALICE: CallerKey = CallerKey::User(Uuid::from_u128(1));
    const BOB: CallerKey = CallerKey::User(Uuid::from_u128(2));

    #[tokio::test]
    async fn a_caller_with_many_runs_does_not_keep_another_from_one() {
        let runs = Arc::new(ActiveRuns::new(2));
        let (first, second) =
            (runs.reserve(ALICE, Duration::ZERO).await.expect("room"), runs.reserve(ALICE, Duration::ZERO).await);
        assert_eq!(runs.reserve(BOB, Duration::from_millis(20)).await.map(drop), Err(NoSlot::Busy));
        let (alice, bob) = (runs.reserve(ALICE, Duration::from_mins(1)), runs.reserve(BOB, Duration::from_mins(1)));
        let (mut alice, mut bob) = (Box::pin(alice), Box::pin(bob));
        assert!(futures::poll!(&mut alice).is_pending() && futures::poll!(&mut bob).is_pending());
        drop(first);
        assert!(bob.await.is_ok(), "Bob came later and is served first");
        assert!(alice.await.is_ok() && second.is_ok());
    }

    fn lease() -> RunLease {
        RunLease { run_id: "run_a".to_owned(), epoch: 1, is_mirrored: false }
    }

    #[tokio::test]
    async fn a_run_is_active_until_its_slot_is_dropped() {
        let runs = Arc::new(ActiveRuns::default());
        let mut slot = runs.reserve(ALICE, Duration::ZERO).await.expect("there is room");
        assert!(!runs.stop("run_a", StopReason::Cancelled));
        let (stored, stopped) = slot.activate(&lease(), 1);
        let mut seen = runs.follow("run_a").expect("it is active");
        assert!(runs.stop("run_a", StopReason::Cancelled) && runs.stop("run_a", StopReason::HostStops));
        assert_eq!(*stopped.borrow(), Some(StopReason::Cancelled));
        stored.send_replace(2);
        assert!(seen.changed().await.is_ok());
        drop((slot, stored));
        assert!(seen.changed().await.is_err() && runs.leases().is_empty());
    }

    #[tokio::test]
    async fn a_closing_host_takes_no_run_and_stops_those_it_has() {
        let runs = Arc::new(ActiveRuns::default());
        let mut slot = runs.reserve(ALICE, Duration::ZERO).await.expect("there is room");
        let (_stored, mut stopped) = slot.activate(&lease(), 1);
        let run = tokio::spawn(async move {
            let stop = stopped.wait_for(Option::is_some).await.ok().and_then(|stop| *stop);
            drop(slot);
            stop
        });
        runs.close(Duration::from_millis(20)).await;
        assert_eq!(run.await.ok().flatten(), Some(StopReason::HostStops));
        assert_eq!(runs.reserve(ALICE, Duration::ZERO).await.map(drop), Err(NoSlot::Closing));
    }
}
