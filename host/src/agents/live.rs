//! The runs that this host works on. Nothing here must last: rows say what became of a run, this only wakes and stops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::db::Hold;

/// Runs at once on one host. Each holds its conversation in memory.
const MAX_RUNS: usize = 1_000;

/// Why a run is to stop before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Somebody asked for it.
    Cancelled,
    /// The host shuts down; the run goes on elsewhere.
    HostStops,
    /// Another host works on it, or it is gone.
    Lost,
}

/// Why this host takes no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// It shuts down.
    Closing,
    /// It has too many.
    Busy,
}

#[derive(Debug, Default)]
struct Runs {
    by_id: HashMap<String, Handle>,
    /// Runs that were promised a place and have no row yet.
    promised: usize,
    closing: bool,
}

#[derive(Debug)]
struct Handle {
    epoch: i64,
    stop: watch::Sender<Option<Stop>>,
    stored: watch::Receiver<i64>,
}

/// The runs of this host.
#[derive(Debug, Default)]
pub(super) struct Live {
    runs: Mutex<Runs>,
    left: Notify,
}

/// A place for a run. Dropped, the run is no longer live.
#[derive(Debug)]
pub(super) struct Place {
    live: Arc<Live>,
    hold: Option<Hold>,
}

impl Live {
    /// Takes a place for a run that is about to begin.
    pub(super) fn place(self: &Arc<Self>) -> Result<Place, Full> {
        let mut runs = self.lock();
        if runs.closing {
            return Err(Full::Closing);
        }
        if runs.by_id.len() + runs.promised >= MAX_RUNS {
            return Err(Full::Busy);
        }
        runs.promised += 1;
        Ok(Place { live: Arc::clone(self), hold: None })
    }

    /// Stops a run; false where this host does not work on it.
    pub(super) fn stop(&self, run_id: &str, stop: Stop) -> bool {
        let runs = self.lock();
        let Some(handle) = runs.by_id.get(run_id) else { return false };
        // The first reason stands.
        handle.stop.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(stop);
            }
            first
        });
        true
    }

    /// The number of the run's last event, as it grows; none where this host does not work on it. Closed when it ends.
    pub(super) fn follow(&self, run_id: &str) -> Option<watch::Receiver<i64>> {
        self.lock().by_id.get(run_id).map(|handle| handle.stored.clone())
    }

    /// The live runs.
    pub(super) fn holds(&self) -> Vec<Hold> {
        let hold = |(run_id, handle): (&String, &Handle)| Hold { run_id: run_id.clone(), epoch: handle.epoch };
        self.lock().by_id.iter().map(hold).collect()
    }

    /// Whether a run goes on elsewhere.
    pub(super) fn has_left(&self, run_id: &str) -> bool {
        let runs = self.lock();
        let stop = runs.by_id.get(run_id).and_then(|handle| *handle.stop.borrow());
        matches!(stop, Some(Stop::HostStops | Stop::Lost))
    }

    /// Takes no more runs and waits for those there are. After `grace` they are stopped and get as long to say so.
    pub(super) async fn close(&self, grace: Duration) {
        self.lock().closing = true;
        if tokio::time::timeout(grace, self.empty()).await.is_ok() {
            return;
        }
        for hold in self.holds() {
            self.stop(&hold.run_id, Stop::HostStops);
        }
        tokio::time::timeout(grace, self.empty()).await.ok();
    }

    async fn empty(&self) {
        loop {
            let left = self.left.notified();
            let mut left = std::pin::pin!(left);
            left.as_mut().enable();
            let none = {
                let runs = self.lock();
                runs.by_id.is_empty() && runs.promised == 0
            };
            if none {
                return;
            }
            left.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The run has its row and is live from now on. Returns where to tell the number of its last event.
    pub(super) fn fill(&mut self, hold: &Hold, last_seq: i64) -> (watch::Sender<i64>, watch::Receiver<Option<Stop>>) {
        let (stored, seen) = watch::channel(last_seq);
        let (stop, stopped) = watch::channel(None);
        let mut runs = self.live.lock();
        runs.promised = runs.promised.saturating_sub(1);
        runs.by_id.insert(hold.run_id.clone(), Handle { epoch: hold.epoch, stop, stored: seen });
        self.hold = Some(hold.clone());
        drop(runs);
        (stored, stopped)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut runs = self.live.lock();
        match &self.hold {
            Some(hold) => {
                // This host may have taken the run over from itself; then the place is another's.
                if runs.by_id.get(&hold.run_id).is_some_and(|handle| handle.epoch == hold.epoch) {
                    runs.by_id.remove(&hold.run_id);
                }
            }
            None => runs.promised = runs.promised.saturating_sub(1),
        }
        drop(runs);
        self.live.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        Hold { run_id: "run_a".to_owned(), epoch: 1 }
    }

    #[tokio::test]
    async fn a_run_is_live_until_its_place_is_left() {
        let live = Arc::new(Live::default());
        let mut place = live.place().expect("there is room");
        assert!(!live.stop("run_a", Stop::Cancelled));
        let (stored, stopped) = place.fill(&hold(), 1);
        let mut seen = live.follow("run_a").expect("it is live");
        assert!(live.stop("run_a", Stop::Cancelled) && live.stop("run_a", Stop::HostStops));
        assert_eq!(*stopped.borrow(), Some(Stop::Cancelled));
        stored.send_replace(2);
        assert!(seen.changed().await.is_ok());
        drop((place, stored));
        assert!(seen.changed().await.is_err() && live.holds().is_empty());
    }

    #[tokio::test]
    async fn a_closing_host_takes_no_run_and_stops_those_it_has() {
        let live = Arc::new(Live::default());
        let mut place = live.place().expect("there is room");
        let (_stored, mut stopped) = place.fill(&hold(), 1);
        let run = tokio::spawn(async move {
            let stop = stopped.wait_for(Option::is_some).await.ok().and_then(|stop| *stop);
            drop(place);
            stop
        });
        live.close(Duration::from_millis(20)).await;
        assert_eq!(run.await.ok().flatten(), Some(Stop::HostStops));
        assert_eq!(live.place().map(drop), Err(Full::Closing));
    }
}
