//! What one socket has joined, and what its client's messages do.
//!
//! Messages of one channel are done one after the other: while something of it is under way, such as a question to the database,
//! the next message waits and nothing more is read. So a broadcast that follows a new token is judged by that token.

use std::net::IpAddr;
use std::sync::Arc;

use behalf_identity::{CallerKey, Principal};
use behalf_telemetry::metric;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use super::channel::{Channel, Identity};
use super::end::End;
use super::outbox::{Outbox, Queued};
use super::{broadcast, join, presence, refresh};
use crate::channel::{ChannelId, Encoded, Frame, Sink, ToChannel};
use crate::limits::Share;
use crate::protocol::encode::{self, Outgoing};
use crate::protocol::{Content, Incoming, Ref, Version};
use crate::state::Realtime;

/// Things under way for one socket, such as joins. More of them wait.
const MAX_UNDER_WAY: usize = 8;

/// Something under way. What it found is done to the session when it ends.
pub(super) type UnderWay = BoxFuture<'static, Ended>;
/// What something under way does when it ends.
pub(super) type Ended = Box<dyn FnOnce(&mut Session) + Send>;

/// A socket's caller.
pub(crate) struct Opened {
    /// The version that the client speaks.
    pub(crate) version: Version,
    /// The token of the socket's address, which channels without one of their own are joined with.
    pub(crate) token: Arc<str>,
    /// Whose it is.
    pub(crate) principal: Arc<Principal>,
    /// Where the client is.
    pub(crate) client: IpAddr,
    /// What the caller uses of this host.
    pub(crate) share: Arc<Share>,
}

/// A socket's channels.
pub(crate) struct Session {
    pub(super) realtime: Realtime,
    pub(super) opened: Opened,
    pub(super) outbox: Arc<Outbox>,
    pub(super) channels: Vec<Channel>,
    pub(super) under_way: FuturesUnordered<UnderWay>,
    /// A message that waits for its channel.
    held: Option<Incoming>,
    /// Whether tokens are being verified again.
    pub(super) is_looking: bool,
}

impl Session {
    pub(crate) fn new(realtime: Realtime, opened: Opened, outbox: Arc<Outbox>) -> Self {
        if opened.version == Version::One {
            realtime.rooms.old_socket_opened();
        }
        Self {
            realtime,
            opened,
            outbox,
            channels: Vec::new(),
            under_way: FuturesUnordered::new(),
            held: None,
            is_looking: false,
        }
    }

    pub(super) fn version(&self) -> Version {
        self.opened.version
    }

    /// Where the socket's messages are queued, for the parts that send to its channels.
    pub(super) fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.outbox) as Arc<dyn Sink>
    }

    /// The key by which a caller's share of the host is told.
    pub(super) fn key(&self, principal: &Principal) -> CallerKey {
        CallerKey::new(principal, Some(self.opened.client))
    }

    /// In whose name a channel acts with this verified token.
    pub(super) fn identity(&self, token: Arc<str>, principal: Arc<Principal>) -> Identity {
        let share = self.realtime.limits.share(self.key(&principal), &principal);
        Identity { token, principal, share }
    }

    /// Whether a message waits, so that no other may be read.
    pub(super) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Tries the message that waits once more; whether there was one and it is done.
    pub(super) fn retry(&mut self) -> bool {
        let Some(held) = self.held.take() else { return false };
        self.handle(held);
        self.held.is_none()
    }

    /// Does what a client's message asks for, or keeps it until its channel is free.
    pub(super) fn handle(&mut self, message: Incoming) {
        if &*message.topic == "phoenix" {
            match &*message.event {
                "heartbeat" => self.reply(&message, true, "{}"),
                _ => self.refuse(&message, "unmatched topic"),
            }
            return;
        }
        let channel = self.channels.iter().position(|channel| channel.topic == message.topic);
        let is_busy = channel.is_some_and(|at| self.channels[at].is_busy);
        if is_busy || self.under_way.len() >= MAX_UNDER_WAY {
            self.held = Some(message);
            return;
        }
        match (&*message.event, channel) {
            ("phx_join", channel) => {
                // A second join on a topic takes the place of the first.
                if let Some(at) = channel {
                    let left = self.remove(at);
                    self.say_closed(&left);
                }
                join::begin(self, &message);
            }
            ("phx_leave", Some(at)) => self.leave(&message, at),
            ("phx_leave", None) => self.reply(&message, true, "{}"),
            (_, None) => self.refuse(&message, "unmatched topic"),
            ("broadcast", Some(at)) => broadcast::begin(self, &message, at),
            ("presence", Some(at)) => presence::begin(self, &message, at),
            ("access_token", Some(at)) => refresh::begin(self, &message, at),
            // Upstream ignores what it does not know.
            (_, Some(_)) => metric::realtime_refused("unknown_event"),
        }
    }

    fn leave(&mut self, message: &Incoming, at: usize) {
        let is_meant = message.join_ref.is_null() || message.join_ref == self.channels[at].join_ref;
        // Otherwise the client means a channel of which it has not heard yet that it is closed.
        if is_meant {
            let left = self.remove(at);
            self.reply(message, true, "{}");
            self.say_closed(&left);
        }
    }

    /// Notes when the first of the channels' tokens expires. After every change of them.
    pub(super) fn note_expiry(&self) {
        let ends = self.channels.iter().filter_map(|channel| channel.identity.principal.expires_at());
        self.outbox.note_expiry(ends.min());
    }

    /// Starts something. While it is under way, its channel's next message waits.
    pub(super) fn start(&mut self, work: impl Future<Output = Ended> + Send + 'static) {
        self.under_way.push(Box::pin(work));
    }

    /// The channel of this id.
    pub(super) fn channel(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.id() == id)
    }

    /// Takes a channel out of everything.
    pub(super) fn remove(&mut self, at: usize) -> Channel {
        let channel = self.channels.swap_remove(at);
        self.realtime.rooms.leave(&channel.handle.room, channel.id());
        self.realtime.presence.leave(&channel.handle);
        if channel.has_changes {
            self.realtime.changes.unsubscribe(channel.id());
        }
        self.note_expiry();
        channel
    }

    /// Ends a channel with the reason, as upstream: a `system` error, then `phx_close`.
    pub(super) fn shut_down(&mut self, id: ChannelId, why: &str) {
        let Some(at) = self.channels.iter().position(|channel| channel.id() == id) else { return };
        let channel = self.remove(at);
        self.say_system(&channel, "system", false, why);
        self.say_closed(&channel);
    }

    /// Leaves everything, when the socket ends.
    pub(super) fn leave_all(&mut self) {
        self.under_way.clear();
        self.held = None;
        while !self.channels.is_empty() {
            self.remove(self.channels.len() - 1);
        }
    }

    /// Ends the socket.
    pub(super) fn end(&self, end: End) {
        self.outbox.end(end);
    }

    pub(super) fn put(&self, frame: Frame) {
        self.outbox.put(Queued::Frame(frame));
    }

    /// Answers a message. `response` is JSON.
    pub(super) fn reply(&self, to: &Incoming, is_ok: bool, response: &str) {
        self.put(Answer::to(to).frame(self.version(), is_ok, response));
    }

    /// Answers a message with the reason why it is refused.
    pub(super) fn refuse(&self, to: &Incoming, reason: &str) {
        self.reply(to, false, &encode::reason(reason));
    }

    /// A `system` message of a channel.
    pub(super) fn say_system(&self, channel: &Channel, extension: &str, is_ok: bool, message: &str) {
        let payload = encode::system(extension, is_ok, message, channel.name());
        self.put(outgoing(channel, "system").with(self.version(), &payload));
    }

    fn say_closed(&self, channel: &Channel) {
        let closed = Outgoing { reference: &channel.join_ref, ..outgoing(channel, "phx_close") };
        self.put(closed.with(self.version(), "{}"));
    }

    /// The next frame for the client, of what waits. What a channel may not hear, or does not want to, is left out.
    pub(super) fn next_frame(&mut self) -> Option<Frame> {
        while let Some(queued) = self.outbox.take() {
            let frame = match queued {
                Queued::Frame(frame) => Some(frame),
                Queued::ToChannel(id, message) => self.frame_for(id, message),
            };
            if frame.is_some() {
                metric::realtime_message_out(1);
                return frame;
            }
        }
        None
    }

    fn frame_for(&mut self, id: ChannelId, message: ToChannel) -> Option<Frame> {
        let version = self.version();
        let channel = self.channels.iter_mut().find(|channel| channel.id() == id)?;
        match message {
            ToChannel::Broadcast(encoded) => channel.takes(&encoded).then(|| frame_of(encoded, version)).flatten(),
            ToChannel::PresenceDiff(encoded) => {
                (channel.knows_presence && channel.hears_presence()).then(|| frame_of(encoded, version)).flatten()
            }
            _ if !channel.is_joined => None,
            ToChannel::PresenceState(state) => channel.hears_presence().then(|| {
                channel.knows_presence = true;
                outgoing(channel, "presence_state").with(version, &encode::presence_state(&state))
            }),
            ToChannel::Change { ids, data } => {
                Some(outgoing(channel, "postgres_changes").with(version, &encode::change(&ids, data.get())))
            }
            ToChannel::System { extension, is_ok, message } => {
                let payload = encode::system(extension, is_ok, &message, channel.name());
                Some(outgoing(channel, "system").with(version, &payload))
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave_all();
        if self.opened.version == Version::One {
            self.realtime.rooms.old_socket_closed();
        }
    }
}

/// A message of a channel, without a reference of its own.
pub(super) fn outgoing<'a>(channel: &'a Channel, event: &'a str) -> Outgoing<'a> {
    const NO_REF: &Ref = &Ref::NONE;
    Outgoing { join_ref: &channel.join_ref, reference: NO_REF, topic: &channel.topic, event }
}

/// The form of a message that this client understands.
pub(super) fn frame_of(encoded: Encoded, version: Version) -> Option<Frame> {
    match version {
        Version::One => encoded.v1.map(Frame::Text),
        Version::Two => Some(encoded.v2),
    }
}

/// What an answer has to repeat of the message, kept while something is under way.
#[derive(Clone)]
pub(super) struct Answer {
    join_ref: Ref,
    reference: Ref,
    topic: Box<str>,
}

impl Answer {
    pub(super) fn to(message: &Incoming) -> Self {
        Self { join_ref: message.join_ref.clone(), reference: message.reference.clone(), topic: message.topic.clone() }
    }

    pub(super) fn frame(&self, version: Version, is_ok: bool, response: &str) -> Frame {
        let to =
            Outgoing { join_ref: &self.join_ref, reference: &self.reference, topic: &self.topic, event: "phx_reply" };
        encode::reply(version, &to, is_ok, response)
    }
}

/// The JSON of a message; none of one that is binary.
pub(super) fn json(message: &Incoming) -> Option<&Bytes> {
    match &message.content {
        Content::Json(json) => Some(json),
        _ => None,
    }
}
