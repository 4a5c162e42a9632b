//! The open sockets of this host, and the one loop that looks at their times.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;

use super::end::End;
use super::outbox::Outbox;
use crate::options::RealtimeOptions;

/// Parts in which sockets are told that the host stops, over the time that it has for that.
const PARTS: u32 = 20;

/// The open sockets of this host.
pub(crate) struct Sockets {
    open: Mutex<HashMap<u64, Arc<Outbox>>>,
    next: AtomicU64,
    turn: AtomicU64,
    is_closed: AtomicBool,
}

/// A socket that is open. Dropped, it is not any more.
pub(super) struct Registered<'a> {
    sockets: &'a Sockets,
    number: u64,
}

impl Sockets {
    /// How often times are looked at.
    pub(crate) const PERIOD: Duration = Duration::from_secs(1);

    pub(crate) fn new() -> Self {
        Self {
            open: Mutex::default(),
            next: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Adds a socket. One that comes after the others were told to close is told so too.
    pub(super) fn add(&self, outbox: &Arc<Outbox>) -> Registered<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.open().insert(number, Arc::clone(outbox));
        if self.is_closed() {
            outbox.end(End::Stopping);
        }
        Registered { sockets: self, number }
    }

    /// Whether the host stops and takes no more sockets.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Looks at all sockets: which are silent, which take nothing, and whose tokens may have expired. Called once in a [`Self::PERIOD`].
    pub(crate) fn look(&self, options: &RealtimeOptions) {
        let periods = (options.recheck.as_secs() / Self::PERIOD.as_secs()).max(1);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let now = Utc::now().timestamp();
        for (number, outbox) in self.all() {
            outbox.check(options);
            // A socket without a user's token sleeps on.
            let Some(expires) = outbox.expiry() else { continue };
            // Each has its own turn to verify its tokens again, so that they do not all do so at once.
            let again = turn % periods == number % periods;
            if again || expires <= now {
                outbox.ask_to_look(again);
            }
        }
    }

    /// Tells all sockets that the host stops, a part of them after the other, so that their clients do not all come back to the
    /// other hosts at once.
    pub(crate) async fn close(&self, within: Duration) {
        self.is_closed.store(true, Ordering::SeqCst);
        let all = self.all();
        let part = all.len().div_ceil(PARTS as usize).max(1);
        for (n, sockets) in all.chunks(part).enumerate() {
            if n > 0 {
                tokio::time::sleep(within / PARTS).await;
            }
            sockets.iter().for_each(|(_, outbox)| outbox.end(End::Stopping));
        }
    }

    fn all(&self) -> Vec<(u64, Arc<Outbox>)> {
        self.open().iter().map(|(number, outbox)| (*number, Arc::clone(outbox))).collect()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Outbox>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.sockets.open().remove(&self.number);
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sockets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_that_stops_tells_its_sockets_one_part_after_the_other() {
        let (sockets, options) = (Sockets::new(), RealtimeOptions::default());
        let outboxes: Vec<_> = (0..100).map(|_| Arc::new(Outbox::new(&options))).collect();
        let registered: Vec<_> = outboxes.iter().map(|outbox| sockets.add(outbox)).collect();
        let told = || outboxes.iter().filter(|outbox| outbox.ended() == Some(End::Stopping)).count();
        let within = Duration::from_secs(10);
        let mut closing = std::pin::pin!(sockets.close(within));
        assert!(futures::poll!(&mut closing).is_pending());
        assert_eq!(told(), 5);
        tokio::time::timeout(within / 2, &mut closing).await.expect_err("half of the time");
        assert!((45..=60).contains(&told()), "{}", told());
        closing.await;
        assert_eq!(told(), 100);
        let late = Arc::new(Outbox::new(&options));
        let late_one = sockets.add(&late);
        assert_eq!(late.ended(), Some(End::Stopping));
        drop((registered, late_one));
        assert!(sockets.open().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn each_socket_verifies_its_tokens_again_once_in_a_while() {
        let options = RealtimeOptions { recheck: Duration::from_secs(10), ..RealtimeOptions::default() };
        let sockets = Sockets::new();
        let outboxes: Vec<_> = (0..30).map(|_| Arc::new(Outbox::new(&options))).collect();
        let _registered: Vec<_> = outboxes.iter().map(|outbox| sockets.add(outbox)).collect();
        let now = Utc::now().timestamp();
        outboxes.iter().for_each(|outbox| outbox.note_expiry(Some(now + 3_600)));
        let mut again = [0; 30];
        for _ in 0..20 {
            sockets.look(&options);
            let looks: Vec<_> = outboxes.iter().map(|outbox| outbox.shall_look()).collect();
            for (count, look) in again.iter_mut().zip(&looks) {
                *count += i32::from(*look == Some(true));
            }
            assert!(looks.iter().filter(|look| **look == Some(true)).count() == 3);
        }
        assert!(again.iter().all(|count| *count == 2), "{again:?}");
        outboxes[0].note_expiry(None);
        outboxes[1].note_expiry(Some(now));
        (0..10).for_each(|_| sockets.look(&options));
        assert!(outboxes[0].shall_look().is_none(), "nothing of it can expire");
        sockets.look(&options);
        assert!(outboxes[1].shall_look().is_some(), "at once");
    }
}
