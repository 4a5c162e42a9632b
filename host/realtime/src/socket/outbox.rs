//! What waits for one socket, and what others tell it. Whoever sends never waits: where too much waits already, the socket ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use behalf_telemetry::metric;
use futures::task::AtomicWaker;
use tokio::time::Instant;

use super::end::End;
use crate::channel::{ChannelId, Encoded, Frame, Sink, ToChannel};
use crate::event::PresenceState;
use crate::options::RealtimeOptions;

/// Bytes that a message takes beside its content.
const OVERHEAD: usize = 64;
/// A list that had to be longer is not kept when it is empty.
const KEPT: usize = 32;
/// What a socket is asked for.
const LOOK: u8 = 1;
const AGAIN: u8 = 2;

/// Something that waits.
#[derive(Debug)]
pub(super) enum Queued {
    /// A message to a channel; what is sent depends on the channel's state when its turn comes.
    ToChannel(ChannelId, ToChannel),
    /// A frame.
    Frame(Frame),
}

/// What waits for a socket.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    wake: AtomicWaker,
    max_bytes: usize,
    max_messages: usize,
    started: Instant,
    /// When the client last said something, in milliseconds since the start.
    heard: AtomicU64,
    /// Since when the client takes nothing although something waits, and one; 0 is not at all.
    blocked: AtomicU64,
    /// Whether the socket shall look at its channels' tokens: [`LOOK`], [`AGAIN`].
    look: AtomicU8,
    /// When the first of these tokens expires, in seconds since 1970; the largest number if none does.
    expires: AtomicI64,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Queued>,
    bytes: usize,
    end: Option<End>,
}

impl Outbox {
    /// An empty one.
    pub(super) fn new(options: &RealtimeOptions) -> Self {
        Self {
            queue: Mutex::default(),
            wake: AtomicWaker::new(),
            max_bytes: options.max_waiting_bytes,
            max_messages: options.max_waiting_messages,
            started: Instant::now(),
            heard: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            look: AtomicU8::new(0),
            expires: AtomicI64::new(i64::MAX),
        }
    }

    /// Queues something; false where the socket ends.
    pub(super) fn put(&self, queued: Queued) -> bool {
        let size = size(&queued);
        {
            let mut queue = self.queue();
            if queue.end.is_some() {
                return false;
            }
            let is_full = queue.waiting.len() >= self.max_messages || queue.bytes.saturating_add(size) > self.max_bytes;
            // One message may be larger than what may wait.
            if is_full && !queue.waiting.is_empty() {
                queue.end = Some(End::Slow);
                // What waits is of no use any more, and its memory is.
                queue.waiting = VecDeque::new();
                metric::realtime_slow_socket();
            } else {
                queue.bytes += size;
                queue.waiting.push_back(queued);
            }
        }
        self.wake.wake();
        true
    }

    /// The next thing that waits.
    pub(super) fn take(&self) -> Option<Queued> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        match &next {
            Some(taken) => queue.bytes = queue.bytes.saturating_sub(size(taken)),
            None if queue.waiting.capacity() > KEPT => queue.waiting = VecDeque::new(),
            None => {}
        }
        next
    }

    /// Ends the socket; the first reason counts.
    pub(crate) fn end(&self, end: End) {
        self.queue().end.get_or_insert(end);
        self.wake.wake();
    }

    /// Why the socket ends, if it does.
    pub(super) fn ended(&self) -> Option<End> {
        self.queue().end
    }

    /// Who is woken when something comes.
    pub(super) fn register(&self, waker: &Waker) {
        self.wake.register(waker);
    }

    /// The client said something.
    pub(super) fn note_heard(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// Whether the client takes what is sent.
    pub(super) fn note_blocked(&self, is_blocked: bool) {
        if !is_blocked {
            self.blocked.store(0, Ordering::Relaxed);
        } else if self.blocked.load(Ordering::Relaxed) == 0 {
            self.blocked.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    /// Ends the socket if its client has been silent, or has taken nothing, for too long.
    pub(super) fn check(&self, options: &RealtimeOptions) {
        let now = self.now();
        let passed = |since: u64| u128::from(now.saturating_sub(since));
        let blocked = self.blocked.load(Ordering::Relaxed);
        if blocked > 0 && passed(blocked - 1) > options.write_stall.as_millis() {
            self.end(End::Stalled);
        } else if passed(self.heard.load(Ordering::Relaxed)) > options.idle.as_millis() {
            self.end(End::Idle);
        }
    }

    /// Lets the socket look which of its tokens have expired, and verify them `again`.
    pub(super) fn ask_to_look(&self, again: bool) {
        self.look.fetch_or(if again { LOOK | AGAIN } else { LOOK }, Ordering::AcqRel);
        self.wake.wake();
    }

    /// Notes when the first of the channels' tokens expires.
    pub(super) fn note_expiry(&self, expires: Option<i64>) {
        self.expires.store(expires.unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// When the first token expires; none if none does.
    pub(super) fn expiry(&self) -> Option<i64> {
        Some(self.expires.load(Ordering::Relaxed)).filter(|expires| *expires != i64::MAX)
    }

    /// Whether it shall look now, and verify again.
    pub(super) fn shall_look(&self) -> Option<bool> {
        let look = self.look.swap(0, Ordering::AcqRel);
        (look != 0).then_some(look & AGAIN != 0)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Outbox {
    fn push(&self, channel: ChannelId, message: ToChannel) -> bool {
        self.put(Queued::ToChannel(channel, message))
    }
}

/// Bytes that wait, about.
fn size(queued: &Queued) -> usize {
    let content = match queued {
        Queued::Frame(frame) => frame_size(frame),
        Queued::ToChannel(_, message) => match message {
            ToChannel::Broadcast(Encoded { v1, v2 }) | ToChannel::PresenceDiff(Encoded { v1, v2 }) => {
                frame_size(v2).max(v1.as_ref().map_or(0, bytes::Bytes::len))
            }
            ToChannel::PresenceState(PresenceState(map)) => map
                .iter()
                .map(|(key, metas)| {
                    key.len() + metas.iter().map(|meta| meta.meta.get().len() + OVERHEAD).sum::<usize>()
                })
                .sum(),
            ToChannel::Change { ids, data } => data.get().len() + ids.len() * 8,
            ToChannel::System { message, .. } => message.len(),
        },
    };
    content + OVERHEAD
}

fn frame_size(frame: &Frame) -> usize {
    match frame {
        Frame::Text(bytes) | Frame::Binary(bytes) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    fn frame(bytes: usize) -> Queued {
        Queued::Frame(Frame::Text(Bytes::from(vec![b'x'; bytes])))
    }

    fn options() -> RealtimeOptions {
        RealtimeOptions { max_waiting_bytes: 10_000, max_waiting_messages: 5, ..RealtimeOptions::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_does_not_read_ends_and_frees_what_waited() {
        for (size, fit) in [(1, 5), (3_000, 3)] {
            let outbox = Outbox::new(&options());
            assert!((0..fit).all(|_| outbox.put(frame(size))) && outbox.ended().is_none());
            outbox.put(frame(size));
            assert_eq!(outbox.ended(), Some(End::Slow));
            assert!(outbox.take().is_none() && !outbox.put(frame(1)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_makes_room_and_one_large_message_fits() {
        let outbox = Outbox::new(&options());
        for _ in 0..100 {
            assert!(outbox.put(frame(50_000)) && outbox.take().is_some() && outbox.take().is_none());
        }
        assert!(outbox.ended().is_none());
        assert_eq!(outbox.queue().bytes, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_a_stalled_write_end_the_socket_each_after_its_time() {
        let options = options();
        let outbox = Outbox::new(&options);
        tokio::time::advance(options.idle).await;
        outbox.check(&options);
        assert!(outbox.ended().is_none());
        outbox.note_heard();
        tokio::time::advance(options.idle + Duration::from_secs(1)).await;
        outbox.check(&options);
        assert_eq!(outbox.ended(), Some(End::Idle));

        let outbox = Outbox::new(&options);
        outbox.note_blocked(true);
        tokio::time::advance(options.write_stall).await;
        outbox.note_blocked(true);
        outbox.check(&options);
        assert!(outbox.ended().is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        outbox.check(&options);
        assert_eq!(outbox.ended(), Some(End::Stalled));

        let outbox = Outbox::new(&options);
        outbox.note_blocked(true);
        tokio::time::advance(options.write_stall).await;
        outbox.note_blocked(false);
        outbox.note_blocked(true);
        tokio::time::advance(Duration::from_secs(1)).await;
        outbox.check(&options);
        assert!(outbox.ended().is_none(), "a little was taken meanwhile");
    }
}
