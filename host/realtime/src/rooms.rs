//! The channels of this host by room, and what is sent to all channels of a room.
//!
//! A message is encoded once for each protocol and shared. Messages of one sender reach every channel in their order, because a
//! sender publishes one after the other. Nothing here waits: a channel's sink queues, or cuts its socket off.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::{ChannelHandle, ChannelId, ToChannel};
use crate::event::{Broadcast, PresenceDiff};
use crate::protocol::encode;
use crate::room::Room;

/// Locks that share the rooms. Joins of 1,000 clients in a second seldom wait for each other.
const SHARDS: usize = 64;

/// The channels of one room.
type Members = Arc<Mutex<HashMap<ChannelId, ChannelHandle>>>;

/// The rooms of this host.
pub(crate) struct Rooms {
    shards: Vec<Mutex<HashMap<Room, Members>>>,
    /// With keys of this process: nobody outside can find topics that meet in one shard.
    hasher: RandomState,
    /// Open sockets of protocol 1.0.0. Where there are none, nothing is encoded for them.
    old_sockets: AtomicUsize,
}

impl Rooms {
    /// Makes the rooms, which are empty.
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            old_sockets: AtomicUsize::new(0),
        }
    }

    /// A socket of protocol 1.0.0 opens. It has to say so before its first channel joins.
    pub(crate) fn old_socket_opened(&self) {
        self.old_sockets.fetch_add(1, Ordering::SeqCst);
    }

    /// A socket of protocol 1.0.0 has left all of its rooms.
    pub(crate) fn old_socket_closed(&self) {
        self.old_sockets.fetch_sub(1, Ordering::SeqCst);
    }

    /// Sends a message to all channels of its room but one.
    pub(crate) fn publish(&self, broadcast: &Broadcast, except: Option<ChannelId>) {
        let Some(members) = self.members(&broadcast.room) else { return };
        let members = lock(&members);
        if members.keys().all(|id| Some(*id) == except) {
            return;
        }
        // Looked at while the members are fixed: whoever is one of them was counted before.
        let encoded = encode::broadcast(broadcast, self.has_old_sockets());
        for channel in members.values().filter(|channel| Some(channel.id) != except) {
            channel.push(ToChannel::Broadcast(encoded.clone()));
        }
    }

    /// Tells all channels of a room who came and who went.
    pub(crate) fn presence(&self, room: &Room, diff: &PresenceDiff) {
        let Some(members) = self.members(room) else { return };
        let members = lock(&members);
        let encoded = encode::presence_diff(room, diff, self.has_old_sockets());
        for channel in members.values() {
            channel.push(ToChannel::PresenceDiff(encoded.clone()));
        }
    }

    /// Whether a channel of this host is in the room.
    pub(crate) fn is_served(&self, room: &Room) -> bool {
        lock(self.shard(room)).contains_key(room)
    }

    /// Adds a channel to its room.
    pub(crate) fn join(&self, channel: ChannelHandle) {
        let mut rooms = lock(self.shard(&channel.room));
        let members = rooms.entry(channel.room.clone()).or_default();
        lock(members).insert(channel.id, channel);
    }

    /// Removes a channel. One that is not there changes nothing.
    pub(crate) fn leave(&self, room: &Room, channel: ChannelId) {
        let mut rooms = lock(self.shard(room));
        let Some(members) = rooms.get(room) else { return };
        let is_empty = {
            let mut members = lock(members);
            members.remove(&channel);
            members.is_empty()
        };
        if is_empty {
            rooms.remove(room);
        }
    }

    fn has_old_sockets(&self) -> bool {
        self.old_sockets.load(Ordering::SeqCst) > 0
    }

    fn members(&self, room: &Room) -> Option<Members> {
        lock(self.shard(room)).get(room).cloned()
    }

    fn shard(&self, room: &Room) -> &Mutex<HashMap<Room, Members>> {
        let hash = self.hasher.hash_one(room);
        let count = self.shards.len() as u64;
        // Below the number of shards, so it fits.
        &self.shards[usize::try_from(hash % count).unwrap_or_default()]
    }
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rooms")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::channel::{Frame, Sink};
    use crate::event::Payload;

    /// Keeps what it is sent, as text of protocol 2.0.0, with whether there is one for 1.0.0.
    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, bool)>>);

    impl Sink for Kept {
        fn push(&self, _: ChannelId, message: ToChannel) -> bool {
            let (ToChannel::Broadcast(encoded) | ToChannel::PresenceDiff(encoded)) = message else { return false };
            let (Frame::Text(bytes) | Frame::Binary(bytes)) = encoded.v2;
            lock(&self.0).push((String::from_utf8_lossy(&bytes).into_owned(), encoded.v1.is_some()));
            true
        }
    }

    fn channel(n: u128, room: &Room) -> (ChannelHandle, Arc<Kept>) {
        let kept = Arc::new(Kept::default());
        (ChannelHandle::new(ChannelId(Uuid::from_u128(n)), room.clone(), Arc::clone(&kept) as Arc<dyn Sink>), kept)
    }

    fn message(room: &Room, n: u32) -> Broadcast {
        let payload = Payload::Json(Bytes::from(n.to_string()));
        Broadcast { room: room.clone(), event: "e".into(), payload, meta: None }
    }

    #[test]
    fn a_message_reaches_the_channels_of_its_room_in_order_and_nobody_else() {
        let rooms = Rooms::new();
        let (public, private) = (Room::new("a", false), Room::new("a", true));
        let (one, to_one) = channel(1, &public);
        let (two, to_two) = channel(2, &public);
        let (other, to_other) = channel(3, &private);
        for handle in [&one, &two, &other] {
            rooms.join(handle.clone());
        }
        (0..10).for_each(|n| rooms.publish(&message(&public, n), None));
        rooms.publish(&message(&public, 10), Some(one.id));
        assert_eq!(lock(&to_one.0).len(), 10, "not its own");
        let heard: Vec<String> = lock(&to_two.0).iter().map(|(text, _)| text.clone()).collect();
        assert_eq!(heard.len(), 11);
        assert!(heard.iter().enumerate().all(|(n, text)| text.contains(&format!(r#""payload":{n}"#))), "{heard:?}");
        assert!(lock(&to_other.0).is_empty(), "the private room of the same topic is another one");
    }

    #[test]
    fn who_left_hears_nothing_and_an_empty_room_is_not_kept() {
        let rooms = Rooms::new();
        let room = Room::new("a", false);
        let (one, to_one) = channel(1, &room);
        rooms.join(one.clone());
        assert!(rooms.is_served(&room));
        rooms.leave(&room, ChannelId(Uuid::from_u128(9)));
        assert!(rooms.is_served(&room));
        rooms.leave(&room, one.id);
        rooms.leave(&room, one.id);
        rooms.publish(&message(&room, 1), None);
        assert!(!rooms.is_served(&room) && lock(&to_one.0).is_empty());
        assert!(rooms.shards.iter().all(|shard| lock(shard).is_empty()));
    }

    #[test]
    fn nothing_is_encoded_for_a_protocol_that_nobody_speaks() {
        let rooms = Rooms::new();
        let room = Room::new("a", false);
        let (one, to_one) = channel(1, &room);
        rooms.join(one);
        rooms.publish(&message(&room, 1), None);
        rooms.old_socket_opened();
        rooms.publish(&message(&room, 2), None);
        rooms.old_socket_closed();
        rooms.publish(&message(&room, 3), None);
        let for_old: Vec<bool> = lock(&to_one.0).iter().map(|(_, has_old)| *has_old).collect();
        assert_eq!(for_old, [false, true, false]);
    }
}
