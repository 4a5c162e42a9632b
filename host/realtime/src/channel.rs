//! A joined channel, as the parts that send to it know it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::event::PresenceState;
use crate::room::Room;

/// One joined topic of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ChannelId(pub Uuid);

/// A message to one channel.
#[derive(Clone, Debug)]
pub(crate) enum ToChannel {
    /// A broadcast, encoded for the protocol of the channel's socket.
    Broadcast(Encoded),
    /// Who is there, after the join.
    PresenceState(PresenceState),
    /// Who came and went, encoded.
    PresenceDiff(Encoded),
    /// A change of a table: the subscriptions that it is for, and `data` of the message as JSON.
    Change {
        /// Ids of the channel's subscriptions.
        ids: Vec<i64>,
        /// `{"schema":…,"table":…,"type":…,"commit_timestamp":…,"columns":…,"record":…,"old_record":…,"errors":…}`
        data: Arc<RawValue>,
    },
    /// A `system` message: `extension`, `status` (`ok` or `error`) and `message`.
    System {
        /// Which part says it, such as `postgres_changes`.
        extension: &'static str,
        /// Whether it went well.
        is_ok: bool,
        /// The sentence.
        message: String,
    },
}

/// A message in the wire forms of both protocols. Made once for all channels of a room.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    /// Protocol 1.0.0: a text frame. `None` where it cannot be told there, such as bytes.
    pub v1: Option<Bytes>,
    /// Protocol 2.0.0: a text or a binary frame.
    pub v2: Frame,
}

/// A frame of a websocket.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// UTF-8 text.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
}

/// Where messages to a channel go. The socket implements it: it never waits, and a socket that does not read is cut off.
pub(crate) trait Sink: Send + Sync {
    /// Queues a message for the channel; false where the socket is gone.
    fn push(&self, channel: ChannelId, message: ToChannel) -> bool;
}

/// A joined channel. Clones are cheap.
#[derive(Clone)]
pub(crate) struct ChannelHandle {
    /// Its id.
    pub id: ChannelId,
    /// Its room.
    pub room: Room,
    sink: Arc<dyn Sink>,
}

impl ChannelHandle {
    /// A channel of a socket.
    pub(crate) fn new(id: ChannelId, room: Room, sink: Arc<dyn Sink>) -> Self {
        Self { id, room, sink }
    }

    /// Queues a message; false where the socket is gone.
    pub(crate) fn push(&self, message: ToChannel) -> bool {
        self.sink.push(self.id, message)
    }
}

impl fmt::Debug for ChannelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelHandle").field("id", &self.id).field("room", &self.room).finish_non_exhaustive()
    }
}

/// A subscription to changes of a table, as the join asks for it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Wanted {
    /// `INSERT`, `UPDATE`, `DELETE` or `*`.
    pub event: String,
    /// The schema; `*` is every exposed one.
    pub schema: String,
    /// The table; none is every table of the schema.
    #[serde(default)]
    pub table: Option<String>,
    /// A filter such as `id=eq.1`.
    #[serde(default)]
    pub filter: Option<String>,
    /// The columns that are told beside the primary key, as they were sent: an array of names.
    #[serde(default)]
    pub select: Option<Value>,
}
