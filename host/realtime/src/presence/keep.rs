//! Stores what channels track and tells it to the other hosts: many changes in one transaction, and again until it is done.

use std::sync::Arc;
use std::time::Duration;

use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::own::Untold;
use super::{Presence, store};
use crate::hosts::BEAT;

/// From one transaction to the next.
const PACE: Duration = Duration::from_millis(5);

/// Until the next try after one that failed.
const RETRY: Duration = Duration::from_millis(200);

/// How long one may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Until the table is read again after this host had to register again: others that had to as well have stored theirs by then.
const SETTLED: Duration = BEAT;

/// Starts it.
pub(super) fn start(presence: &Arc<Presence>, jobs: &Jobs) {
    let presence = Arc::clone(presence);
    jobs.spawn("realtime presences", |stop| async move {
        tokio::select! {
            () = stop.requested() => {}
            // What is not stored then goes with the host: it takes all of its presences with it.
            () = keep(&presence, &stop) => {}
        }
    });
}

async fn keep(presence: &Presence, stop: &Stop) {
    let mut registrations = presence.bus.hosts().registrations();
    let mut read_again: Option<Instant> = None;
    while !stop.is_requested() {
        tokio::select! {
            () = presence.changed.notified() => {}
            Ok(()) = registrations.changed() => {
                presence.inner().own.tell_all();
                if *registrations.borrow_and_update() > 1 {
                    read_again = Some(Instant::now() + SETTLED);
                }
            }
            () = until(read_again) => {
                read_again = None;
                presence.load_again();
            }
        }
        // Before the others know this host, they take what it tells for that of a dead one.
        presence.bus.hosts().known().await;
        tell(presence).await;
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Stores and tells all that is to be told.
async fn tell(presence: &Presence) {
    let mut has_failed = false;
    loop {
        let untold = presence.inner().own.take();
        if untold.is_empty() {
            return;
        }
        match timeout(LIMIT, write(presence, &untold)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Ok(()) => {
                presence.inner().own.told(&untold);
                has_failed = false;
                sleep(PACE).await;
            }
            Err(error) => {
                presence.inner().own.not_told(&untold);
                if !has_failed {
                    tracing::warn!(error = error.log_text(), "cannot tell other hosts who is there; trying again");
                }
                has_failed = true;
                sleep(RETRY).await;
            }
        }
    }
}

async fn write(presence: &Presence, untold: &Untold) -> Result<(), sqlx::Error> {
    let hosts = presence.bus.hosts();
    store::write(&presence.db, hosts.id(), untold, hosts.has_others()).await
}
