//! What a connection is doing: it waits for a request, reads a header, or has requests under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::ClientBounds;

/// The state of one connection, shared with its socket and its requests.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Requests whose answers are not finished.
    under_way: usize,
    /// Whether there has been a request at all.
    had_request: bool,
    /// Since when no request is under way.
    idle_since: Instant,
    /// When the first byte arrived after that: of a header, in HTTP/1.
    header_since: Option<Instant>,
    /// HTTP/2 sends frames between requests, which are no part of a header.
    is_http2: bool,
    /// Requests whose answer has a piece that HTTP/2 has not asked for, and since when. Only the client decides when it does:
    /// such a stream has a window of its own, so the socket says nothing of it.
    untaken: Vec<(u64, Instant)>,
    /// Numbers requests.
    next: u64,
}

/// A request under way. Dropped, it has ended.
#[derive(Debug)]
pub(super) struct UnderWay {
    activity: Activity,
    /// Names the request among those whose client takes no piece; none in HTTP/1, where the socket tells that.
    id: Option<u64>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            under_way: 0,
            had_request: false,
            idle_since: Instant::now(),
            header_since: None,
            is_http2: false,
            untaken: Vec::new(),
            next: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes arrived.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.under_way == 0 && state.header_since.is_none() {
            state.header_since = Some(Instant::now());
        }
    }

    /// The client took bytes. The end of an answer may still be on its way after its request has ended. HTTP/2 answers pings, so
    /// there this says nothing.
    pub(super) fn sent(&self) {
        let mut state = self.state();
        if state.under_way == 0 && state.had_request && !state.is_http2 {
            state.idle_since = Instant::now();
        }
    }

    /// A request's header is complete.
    pub(super) fn begin(&self, is_http2: bool) -> UnderWay {
        let mut state = self.state();
        state.under_way += 1;
        state.had_request = true;
        state.header_since = None;
        state.is_http2 = is_http2;
        state.next += 1;
        UnderWay { activity: self.clone(), id: is_http2.then_some(state.next) }
    }

    /// When the connection has waited long enough; `None` while the host works on requests.
    pub(super) fn deadline(&self, bounds: &ClientBounds) -> Option<Instant> {
        let state = self.state();
        if state.under_way > 0 {
            return state.untaken.iter().map(|(_, since)| *since + bounds.stall).min();
        }
        match state.header_since {
            _ if !state.had_request => Some(state.idle_since + bounds.stall),
            Some(since) if !state.is_http2 => Some(since + bounds.stall),
            _ => Some(state.idle_since + bounds.idle),
        }
    }

    /// Whether the connection speaks HTTP/2, as far as its requests tell.
    pub(super) fn is_http2(&self) -> bool {
        self.state().is_http2
    }
}

impl UnderWay {
    /// A piece of the answer is there for the client.
    pub(super) fn wait_for_client(&self) {
        if let Some(id) = self.id {
            self.activity.state().untaken.push((id, Instant::now()));
        }
    }

    /// The client is ready for the next piece.
    pub(super) fn taken(&self) {
        if let Some(id) = self.id {
            self.activity.state().untaken.retain(|(untaken, _)| *untaken != id);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.taken();
        let mut state = self.activity.state();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.idle_since = Instant::now();
            state.header_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BOUNDS: ClientBounds = ClientBounds { stall: Duration::from_secs(30), idle: Duration::from_secs(90) };

    #[tokio::test(start_paused = true)]
    async fn each_state_has_its_bound() {
        let (activity, start) = (Activity::new(), Instant::now());
        assert_eq!(activity.deadline(&BOUNDS), Some(start + BOUNDS.stall), "the first request");
        tokio::time::advance(Duration::from_secs(7)).await;
        activity.received();
        assert_eq!(activity.deadline(&BOUNDS), Some(start + BOUNDS.stall), "its first bytes change nothing");
        let (one, two) = (activity.begin(false), activity.begin(false));
        drop(one);
        assert_eq!(activity.deadline(&BOUNDS), None, "work of the host has no bound here");
        tokio::time::advance(Duration::from_hours(1)).await;
        drop(two);
        let idle = Instant::now();
        assert_eq!(activity.deadline(&BOUNDS), Some(idle + BOUNDS.idle));
        tokio::time::advance(Duration::from_secs(80)).await;
        activity.received();
        activity.received();
        assert_eq!(activity.deadline(&BOUNDS), Some(idle + Duration::from_secs(80) + BOUNDS.stall), "a header began");
        drop(activity.begin(true));
        activity.received();
        assert_eq!(activity.deadline(&BOUNDS), Some(Instant::now() + BOUNDS.idle), "frames of HTTP/2 are no header");
    }
}
