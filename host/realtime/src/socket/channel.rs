//! One channel of a socket, as the socket knows it.

use std::sync::Arc;

use behalf_identity::Principal;

use crate::channel::{ChannelHandle, ChannelId, Encoded};
use crate::limits::Share;
use crate::protocol::{Ref, encode};
use crate::rights::Rights;

/// Live messages that wait while stored ones are read. A join with more of them fails.
const MAX_EARLY: usize = 256;

/// A channel.
#[expect(clippy::struct_excessive_bools, reason = "they change independently of each other")]
pub(super) struct Channel {
    /// How the other parts know it.
    pub(super) handle: ChannelHandle,
    /// The topic on the wire.
    pub(super) topic: Box<str>,
    /// The client's name for the join.
    pub(super) join_ref: Ref,
    /// Whose channel it is.
    pub(super) identity: Identity,
    /// What that caller may do here.
    pub(super) rights: Rights,
    /// Whether broadcasts are answered.
    pub(super) ack: bool,
    /// Whether the channel hears its own.
    pub(super) to_self: bool,
    /// Whether the client wants to hear who is there.
    pub(super) presence: bool,
    /// Whether it has heard who is there. Who came and went before that is a part of it.
    pub(super) knows_presence: bool,
    /// The key of its presence.
    pub(super) presence_key: Box<str>,
    /// Whether there are subscriptions to changes.
    pub(super) has_changes: bool,
    /// Ids of messages that were replayed. Each may come once more, as a live one.
    pub(super) replayed: Vec<Box<str>>,
    /// Live messages that came while stored ones were read; none where nothing is replayed.
    pub(super) early: Option<Vec<Encoded>>,
    /// Whether the client knows that it has joined.
    pub(super) is_joined: bool,
    /// Whether something is under way that later messages have to wait for.
    pub(super) is_busy: bool,
}

/// In whose name a channel acts.
#[derive(Clone)]
pub(super) struct Identity {
    /// Their token, to verify it again.
    pub(super) token: Arc<str>,
    /// What it said when it was verified last.
    pub(super) principal: Arc<Principal>,
    /// What they use of this host.
    pub(super) share: Arc<Share>,
}

impl Channel {
    pub(super) fn id(&self) -> ChannelId {
        self.handle.id
    }

    /// The topic without `realtime:`.
    pub(super) fn name(&self) -> &str {
        self.handle.room.topic()
    }

    /// Whether the channel hears who is there, and then who comes and goes.
    pub(super) fn hears_presence(&self) -> bool {
        self.is_joined && self.presence && self.rights.read_presence
    }

    /// Whether a broadcast goes to the client now.
    pub(super) fn takes(&mut self, encoded: &Encoded) -> bool {
        if !self.rights.read_broadcast {
            return false;
        }
        if !self.is_joined {
            if let Some(early) = self.early.as_mut().filter(|early| early.len() <= MAX_EARLY) {
                early.push(encoded.clone());
            }
            return false;
        }
        self.is_new(encoded)
    }

    /// Whether a message was not replayed before.
    pub(super) fn is_new(&mut self, encoded: &Encoded) -> bool {
        if self.replayed.is_empty() {
            return true;
        }
        let Some(meta) = encode::meta_of(encoded) else { return true };
        let is_it = |id: &str| meta.windows(id.len()).any(|window| window == id.as_bytes());
        match self.replayed.iter().position(|id| is_it(id)) {
            Some(at) => {
                self.replayed.swap_remove(at);
                false
            }
            None => true,
        }
    }

    /// Whether more live messages came while stored ones were read than are kept.
    pub(super) fn has_lost(&self) -> bool {
        self.early.as_ref().is_some_and(|early| early.len() > MAX_EARLY)
    }
}

/// All rights, as in public channels.
pub(super) const ALL: Rights =
    Rights { read_broadcast: true, write_broadcast: true, read_presence: true, write_presence: true };
/// No rights, as before they are known.
pub(super) const NONE: Rights =
    Rights { read_broadcast: false, write_broadcast: false, read_presence: false, write_presence: false };
