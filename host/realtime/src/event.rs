//! What is sent to the channels of a room.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::room::Room;

/// The content of a broadcast.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// A JSON value, as text.
    Json(Bytes),
    /// Bytes, which only clients of protocol 2.0.0 can be told.
    Binary(Bytes),
}

/// A message to everybody in a room.
#[derive(Clone, Debug)]
pub(crate) struct Broadcast {
    /// The room.
    pub room: Room,
    /// The app's name for it.
    pub event: Arc<str>,
    /// Its content.
    pub payload: Payload,
    /// A JSON object about the message, such as `{"id":"…","replayed":true}`.
    pub meta: Option<Bytes>,
}

/// One presence of a key: what one channel tracks.
#[derive(Clone, Debug)]
pub(crate) struct PresenceMeta {
    /// The reference that clients compare, `phx_ref`.
    pub phx_ref: Arc<str>,
    /// What the client tracks: a JSON object.
    pub meta: Arc<RawValue>,
}

/// Presences by key, in order of keys.
pub(crate) type PresenceMap = Vec<(Arc<str>, Vec<PresenceMeta>)>;

/// Who is in a room.
#[derive(Clone, Debug, Default)]
pub(crate) struct PresenceState(pub PresenceMap);

/// Who came and who went.
#[derive(Clone, Debug, Default)]
pub(crate) struct PresenceDiff {
    /// Presences that are new.
    pub joins: PresenceMap,
    /// Presences that ended.
    pub leaves: PresenceMap,
}
