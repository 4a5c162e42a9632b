//! Who is in a room: what the channels of all hosts track.
//!
//! Each host has a replica of the rooms that its own channels are in. A change of one of them is told to the channels here at once;
//! then it is stored in a table, together with a message to the other hosts (`store`). A host that begins to serve a room reads the
//! table in the snapshot in which it reads messages, so it misses no change and sees none twice. What a dead host's clients tracked
//! goes when the others see that the host is not on the list any more (`crate::hosts`).
//!
//! A channel changes what it tracks itself, and nothing else: a key may be that of another, but a presence is found by its channel.

mod keep;
mod own;
mod replica;
mod room;
mod store;
mod wire;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use behalf_host_db::{HostDb, HostTx};
use behalf_jobs::Jobs;
use behalf_problem::{Kind, Problem};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::value::RawValue;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use self::own::Own;
use self::replica::{Change, Entry};
use self::room::RoomPresence;
use crate::bus::{AtSnapshot, Bus, BusKind};
use crate::channel::{ChannelHandle, ChannelId};
use crate::room::Room;
use crate::rooms::Rooms;

/// Bytes of what one channel tracks. A message of those who enter has all of a room's.
const MAX_META: usize = 16 * 1024;

/// Bytes of a key; a UUID has 36.
const MAX_KEY: usize = 256;

/// Channels of one room that track something, and bytes of what they track: the message to who enters is not larger than this.
const MAX_PRESENCES: usize = 5_000;
const MAX_ROOM: usize = 1024 * 1024;

/// Channels that are remembered after they left: those of some large sockets.
const MAX_LEFT: usize = 4_096;

/// How long it may take to read who is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a presence is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum PresenceError {
    /// What is tracked is no JSON object.
    #[error("what is tracked must be a JSON object")]
    NoObject,
    /// It is too large.
    #[error("what is tracked may have at most {MAX_META} bytes")]
    TooLarge,
    /// The key cannot be one.
    #[error("a presence key must have 1 to {MAX_KEY} bytes and no character U+0000")]
    Key,
    /// The room has as many as it may have.
    #[error(
        "no more presences fit into this channel: at most {MAX_PRESENCES} clients and {MAX_ROOM} bytes of what they track"
    )]
    Full,
    /// It is not known who is there.
    #[error("presences cannot be read at the moment; join again")]
    Unavailable,
    /// The channel has left meanwhile.
    #[error("the channel has left")]
    Left,
}

impl Problem for PresenceError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoObject | Self::Key => Kind::BadRequest,
            Self::TooLarge => Kind::TooLarge,
            Self::Full | Self::Left => Kind::Unprocessable,
            Self::Unavailable => Kind::Unavailable,
        }
    }
}

/// The presences of this host's rooms.
pub(crate) struct Presence {
    db: HostDb,
    bus: Arc<Bus>,
    rooms: Arc<Rooms>,
    inner: Mutex<Inner>,
    /// Something is to be stored and told to the other hosts.
    changed: Notify,
    reference: AtomicU64,
}

#[derive(Default)]
struct Inner {
    served: HashMap<Room, Served>,
    /// Rooms whose presences are to be read from the table.
    to_load: HashSet<Room>,
    own: Own,
    /// The other hosts, when they were last looked at.
    alive: HashSet<Uuid>,
    /// Channels that left a short time ago. What was asked for before may come after it, and must not bring them back.
    left: Left,
    /// Hosts that were not among them when they told something, and how often they have been missing since.
    strangers: HashMap<Uuid, u8>,
}

/// The last channels that left.
#[derive(Default)]
struct Left {
    ids: HashSet<ChannelId>,
    order: VecDeque<ChannelId>,
}

impl Left {
    fn add(&mut self, id: ChannelId) {
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > MAX_LEFT
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

struct Served {
    presence: Arc<RoomPresence>,
    channels: HashSet<ChannelId>,
}

impl Presence {
    /// Starts to store and to tell what channels track, until the host stops.
    pub(crate) fn start(db: HostDb, rooms: Arc<Rooms>, bus: &Arc<Bus>, jobs: &Jobs) -> Arc<Self> {
        // References of a channel grow, and one of a host that was started again is no older one's.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let reference = AtomicU64::new(u64::try_from(now.as_micros()).unwrap_or_default());
        let (inner, changed) = (Mutex::default(), Notify::new());
        let presence = Arc::new(Self { db, bus: Arc::clone(bus), rooms, inner, changed, reference });
        let told = Arc::downgrade(&presence);
        bus.on(BusKind::Presence, move |body| {
            if let Some(presence) = told.upgrade() {
                presence.hear(body);
            }
        });
        let looked = Arc::downgrade(&presence);
        bus.hosts().on_others(move |others| {
            if let Some(presence) = looked.upgrade() {
                presence.hosts_are(others);
            }
        });
        let weak: Weak<Self> = Arc::downgrade(&presence);
        bus.on_snapshot(weak);
        keep::start(&presence, jobs);
        presence
    }

    /// Tells a channel who is in its room, with [`crate::channel::ToChannel::PresenceState`]: it gets this message and then every diff
    /// after it. The channel must have joined its room in [`Rooms`] before.
    pub(crate) async fn enter(&self, channel: &ChannelHandle) -> Result<(), PresenceError> {
        let room = self.serve(channel).await?;
        if !room.tell_state(channel) {
            self.leave(channel);
            return Err(PresenceError::Left);
        }
        Ok(())
    }

    /// The channel tracks `meta`, a JSON object, under `key`, instead of what it tracked before.
    pub(crate) async fn track(&self, channel: &ChannelHandle, key: &str, meta: &RawValue) -> Result<(), PresenceError> {
        if key.is_empty() || key.len() > MAX_KEY || key.contains('\0') {
            return Err(PresenceError::Key);
        }
        if meta.get().len() > MAX_META {
            return Err(PresenceError::TooLarge);
        }
        let members = wire::members(meta).ok_or(PresenceError::NoObject)?;
        let room = self.serve(channel).await?;
        {
            let mut inner = self.inner();
            let is_in = inner.served.get(&channel.room).is_some_and(|served| served.channels.contains(&channel.id));
            if !is_in {
                return Err(PresenceError::Left);
            }
            let plain = wire::meta(members.clone(), None).ok_or(PresenceError::NoObject)?;
            let before = inner.own.of(channel.id);
            if before.is_some_and(|(entry, same)| *entry.key == *key && same == plain.get()) {
                return Ok(());
            }
            let last = before.map(|(entry, _)| (Arc::clone(&entry.reference), entry.size()));
            let meta = wire::meta(members, last.as_ref().map(|(reference, _)| &**reference));
            let meta = meta.ok_or(PresenceError::NoObject)?;
            let (host, reference) = (self.bus.hosts().id(), self.next_reference());
            let entry = Arc::new(Entry { channel: channel.id, key: key.into(), reference, meta, host });
            let (count, size) = room.count();
            let freed = last.map_or(0, |(_, size)| size);
            if (freed == 0 && count >= MAX_PRESENCES) || (size + entry.size()).saturating_sub(freed) > MAX_ROOM {
                return Err(PresenceError::Full);
            }
            inner.own.track(&channel.room, &entry, plain.get().into());
            room.add(Change::Tracked(entry));
        }
        room.tell(&self.rooms);
        self.changed.notify_one();
        Ok(())
    }

    /// The channel tracks nothing from now on.
    #[expect(clippy::unused_async, reason = "as the others; it may have to wait for something one day")]
    pub(crate) async fn untrack(&self, channel: &ChannelHandle) -> Result<(), PresenceError> {
        self.end(channel, false);
        Ok(())
    }

    /// The channel is not in its room any more: it tracks nothing, and is told nothing. It must have left its room in [`Rooms`] before.
    pub(crate) fn leave(&self, channel: &ChannelHandle) {
        self.end(channel, true);
    }

    fn end(&self, channel: &ChannelHandle, leaves: bool) {
        let told = {
            let mut inner = self.inner();
            if leaves {
                inner.left.add(channel.id);
            }
            let ended = inner.own.end(channel.id);
            let Some(served) = inner.served.get_mut(&channel.room) else { return };
            let presence = Arc::clone(&served.presence);
            if leaves {
                served.channels.remove(&channel.id);
                if served.channels.is_empty() {
                    presence.close();
                    inner.served.remove(&channel.room);
                    inner.to_load.remove(&channel.room);
                }
            }
            ended.map(|entry| {
                let reference = Arc::clone(&entry.reference);
                presence.add(Change::Ended { channel: entry.channel, reference });
                presence
            })
        };
        if let Some(room) = told {
            room.tell(&self.rooms);
            self.changed.notify_one();
        }
    }

    /// Counts the channel to its room, and waits until it is known who is there.
    async fn serve(&self, channel: &ChannelHandle) -> Result<Arc<RoomPresence>, PresenceError> {
        // Topics with this character are refused at the join; the table does not take them.
        if channel.room.topic().contains('\0') {
            return Err(PresenceError::Unavailable);
        }
        let room = {
            let mut inner = self.inner();
            if inner.left.ids.contains(&channel.id) {
                return Err(PresenceError::Left);
            }
            let new = || Served { presence: RoomPresence::new(channel.room.clone()), channels: HashSet::new() };
            let served = inner.served.entry(channel.room.clone()).or_insert_with(new);
            served.channels.insert(channel.id);
            let room = Arc::clone(&served.presence);
            if !room.is_loaded() {
                if self.bus.hosts().has_others() {
                    inner.to_load.insert(channel.room.clone());
                    self.bus.look();
                } else {
                    // No other host has let a client in: the first of them will tell when it has (`crate::hosts`).
                    room.is_empty_elsewhere();
                }
            }
            room
        };
        timeout(PATIENCE, room.loaded()).await.map_err(|_| PresenceError::Unavailable)?;
        Ok(room)
    }

    /// Another host tells of a change.
    fn hear(&self, body: Bytes) {
        let Some((room, change)) = wire::read(body) else {
            self.bus.unreadable(1);
            return;
        };
        let presence = {
            let mut inner = self.inner();
            if let Change::Tracked(entry) = &change
                && !inner.alive.contains(&entry.host)
            {
                inner.strangers.entry(entry.host).or_insert(0);
            }
            // A room that is not read yet: the change is in the table.
            let served = inner.served.get(&room).filter(|served| served.presence.is_loaded());
            let Some(served) = served else { return };
            let presence = Arc::clone(&served.presence);
            presence.add(change);
            presence
        };
        presence.tell(&self.rooms);
    }

    /// These are the other hosts. What clients of those tracked that are gone ends here; the table is cleared by one host of all.
    fn hosts_are(&self, others: &HashSet<Uuid>) {
        let (gone, rooms) = {
            let mut inner = self.inner();
            let mut gone: HashSet<Uuid> = inner.alive.difference(others).copied().collect();
            // A host that told something before it was seen may be on the list in a moment, or was taken off it just before.
            inner.strangers.retain(|host, missing| {
                *missing += 1;
                if *missing > 1 && !others.contains(host) {
                    gone.insert(*host);
                }
                *missing <= 1 && !others.contains(host)
            });
            if inner.alive != *others {
                inner.alive.clone_from(others);
            }
            if gone.is_empty() {
                return;
            }
            let rooms: Vec<_> = inner.served.values().map(|served| Arc::clone(&served.presence)).collect();
            (gone, rooms)
        };
        for room in rooms {
            room.remove(|host| gone.contains(host), &self.rooms);
        }
    }

    /// Reads all rooms again: the other hosts may have told this one nothing for a while.
    fn load_again(&self) {
        let mut inner = self.inner();
        let all: Vec<Room> = inner.served.keys().cloned().collect();
        inner.to_load.extend(all);
        drop(inner);
        self.bus.look();
    }

    fn next_reference(&self) -> Arc<str> {
        let number = self.reference.fetch_add(1, Ordering::Relaxed);
        // Of two hosts none has the other's references. Numbers have the same width, so texts compare as they do.
        let host = self.bus.hosts().id().as_u128() & 0xffff_ffff;
        format!("{number:014x}{host:08x}").into()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self, tx: &mut HostTx) -> Result<(), sqlx::Error> {
        let wanted: Vec<Room> = self.inner().to_load.iter().cloned().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let host = self.bus.hosts().id();
        let mut found = store::of_rooms(tx, &wanted, host).await?;
        for room in wanted {
            let presence = {
                let mut inner = self.inner();
                inner.to_load.remove(&room);
                inner.served.get(&room).map(|served| Arc::clone(&served.presence))
            };
            if let Some(presence) = presence {
                presence.load(found.remove(&room).unwrap_or_default(), host, &self.rooms);
            }
        }
        Ok(())
    }
}

impl AtSnapshot for Presence {
    fn look<'a>(&'a self, tx: &'a mut HostTx) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        self.load(tx).boxed()
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").field("rooms", &self.inner().served.len()).finish_non_exhaustive()
    }
}
