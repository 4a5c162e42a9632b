//! A topic as channels join it.

use std::fmt;
use std::sync::Arc;

/// What topics are called on the wire begins with this; the name after it is what policies see as `realtime.topic()`.
pub(crate) const WIRE_PREFIX: &str = "realtime:";

/// A topic, private or public. The private and the public room of one topic are different rooms.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Room {
    topic: Arc<str>,
    is_private: bool,
}

impl Room {
    /// The room of a topic, which is written without `realtime:`.
    pub(crate) fn new(topic: &str, is_private: bool) -> Self {
        Self { topic: topic.into(), is_private }
    }

    /// The topic, without `realtime:`.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// Whether policies decide who may join.
    pub(crate) fn is_private(&self) -> bool {
        self.is_private
    }

    /// The topic as messages name it.
    pub(crate) fn on_wire(&self) -> String {
        format!("{WIRE_PREFIX}{}", self.topic)
    }
}

impl fmt::Debug for Room {
    /// Topics are texts of callers, which the log may not have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("is_private", &self.is_private).finish_non_exhaustive()
    }
}
