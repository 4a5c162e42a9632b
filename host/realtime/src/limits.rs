//! How much of this host one caller uses: open sockets, and joins, messages and presences in a second.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use behalf_identity::{CallerKey, Principal};
use tokio::time::Instant;

use crate::options::RealtimeOptions;

/// The limits of this host.
pub(crate) struct Limits {
    options: RealtimeOptions,
    open: AtomicU32,
    callers: Mutex<HashMap<CallerKey, Arc<Share>>>,
}

/// What one caller uses. The service role acts for the project, so nothing of it is limited here.
pub(crate) struct Share {
    is_service: bool,
    sockets: AtomicU32,
    joins: Bucket,
    messages: Bucket,
    presences: Bucket,
}

/// The place of an open socket. Dropped, it is free.
pub(crate) struct SocketPlace {
    limits: Arc<Limits>,
    share: Arc<Share>,
}

/// Why no socket is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// The host has as many as it may.
    Host,
    /// The caller has.
    Caller,
}

/// So many acts in a second, and no more of them at once.
struct Bucket {
    per_second: u32,
    state: Mutex<(f64, Instant)>,
}

impl Limits {
    pub(crate) fn new(options: RealtimeOptions) -> Arc<Self> {
        Arc::new(Self { options, open: AtomicU32::new(0), callers: Mutex::default() })
    }

    /// What this caller uses.
    pub(crate) fn share(&self, key: CallerKey, principal: &Principal) -> Arc<Share> {
        let mut callers = lock(&self.callers);
        let made = || Arc::new(Share::new(&self.options, principal.is_service()));
        Arc::clone(callers.entry(key).or_insert_with(made))
    }

    /// Takes a place for a socket.
    pub(crate) fn socket(self: &Arc<Self>, share: &Arc<Share>) -> Result<SocketPlace, NoPlace> {
        let allowed = if share.is_service { 0 } else { self.options.sockets_user };
        if !take_one(&self.open, self.options.sockets) {
            return Err(NoPlace::Host);
        }
        if !take_one(&share.sockets, allowed) {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(NoPlace::Caller);
        }
        Ok(SocketPlace { limits: Arc::clone(self), share: Arc::clone(share) })
    }

    /// Forgets callers of whom nothing is open and nothing counted.
    pub(crate) fn forget_idle(&self) {
        lock(&self.callers).retain(|_, share| Arc::strong_count(share) > 1 || !share.is_fresh());
    }
}

impl Share {
    fn new(options: &RealtimeOptions, is_service: bool) -> Self {
        let bucket = |per_second: u32| Bucket::new(if is_service { 0 } else { per_second });
        Self {
            is_service,
            sockets: AtomicU32::new(0),
            joins: bucket(options.joins),
            messages: bucket(options.messages),
            presences: bucket(options.presences),
        }
    }

    /// Counts a join; false if the caller has too many.
    pub(crate) fn join(&self) -> bool {
        self.joins.take(1)
    }

    /// Counts messages; false if there are too many, of which none counts then.
    pub(crate) fn messages(&self, count: u32) -> bool {
        self.messages.take(count)
    }

    /// Whether so many messages are never allowed at once.
    pub(crate) fn is_too_much(&self, count: u32) -> bool {
        self.messages.per_second > 0 && count > self.messages.per_second
    }

    /// Counts a change of the caller's presence.
    pub(crate) fn presence(&self) -> bool {
        self.presences.take(1)
    }

    fn is_fresh(&self) -> bool {
        [&self.joins, &self.messages, &self.presences].iter().all(|bucket| bucket.is_full())
    }
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        Self { per_second, state: Mutex::new((f64::from(per_second), Instant::now())) }
    }

    fn take(&self, count: u32) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let mut state = lock(&self.state);
        let now = Instant::now();
        let left = self.filled(*state, now);
        let is_allowed = left >= f64::from(count);
        *state = (if is_allowed { left - f64::from(count) } else { left }, now);
        is_allowed
    }

    fn is_full(&self) -> bool {
        self.filled(*lock(&self.state), Instant::now()) >= f64::from(self.per_second)
    }

    fn filled(&self, (left, at): (f64, Instant), now: Instant) -> f64 {
        let gained = now.saturating_duration_since(at).as_secs_f64() * f64::from(self.per_second);
        (left + gained).min(f64::from(self.per_second))
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        self.limits.open.fetch_sub(1, Ordering::Relaxed);
        self.share.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits")
    }
}

/// Adds one, if there are fewer than allowed; 0 allows any number.
fn take_one(count: &AtomicU32, allowed: u32) -> bool {
    let one_more = |now: u32| (allowed == 0 || now < allowed).then_some(now.saturating_add(1));
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn share(options: &RealtimeOptions) -> Arc<Share> {
        Arc::new(Share::new(options, false))
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_gives_back_what_a_second_allows() {
        let share = share(&RealtimeOptions { messages: 10, joins: 2, ..RealtimeOptions::default() });
        assert!((0..10).all(|_| share.messages(1)) && !share.messages(1));
        assert!(share.join() && share.join() && !share.join());
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(share.messages(5) && !share.messages(1) && share.join());
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(share.messages(10) && !share.messages(1), "no more than a second's are kept");
        assert!(share.is_too_much(11) && !share.is_too_much(10));
    }

    #[tokio::test(start_paused = true)]
    async fn sockets_are_counted_for_the_host_and_for_the_caller_until_they_close() {
        let options = RealtimeOptions { sockets: 3, sockets_user: 2, ..RealtimeOptions::default() };
        let limits = Limits::new(options);
        let (one, two) = (share(&options), share(&options));
        let first = limits.socket(&one).expect("a place");
        let _second = limits.socket(&one).expect("a place");
        assert_eq!(limits.socket(&one).err(), Some(NoPlace::Caller));
        let _third = limits.socket(&two).expect("a place");
        assert_eq!(limits.socket(&two).err(), Some(NoPlace::Host));
        drop(first);
        assert!(limits.socket(&two).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_role_is_not_limited_and_zero_is_no_limit() {
        let options = RealtimeOptions { messages: 1, sockets_user: 1, ..RealtimeOptions::default() };
        let service = Share::new(&options, true);
        assert!((0..100).all(|_| service.messages(10)));
        let anybody = share(&RealtimeOptions { joins: 0, ..options });
        assert!((0..1_000).all(|_| anybody.join()));
    }
}
