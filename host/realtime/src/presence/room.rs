//! The presences of one room, and when its channels are told of changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::replica::{Change, Entry, Replica, Told};
use crate::channel::{ChannelHandle, ToChannel};
use crate::room::Room;
use crate::rooms::Rooms;

/// From one diff of a room to the next. Where many come at once, as after the death of a host, each client gets some diffs with many
/// presences instead of as many diffs as there are clients. The first change after a pause is told at once.
const PERIOD: Duration = Duration::from_millis(50);

/// The presences of a room that channels of this host are in.
#[derive(Debug)]
pub(super) struct RoomPresence {
    room: Room,
    state: Mutex<State>,
    is_loaded: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// What the channels were told.
    told: Replica,
    /// What they are told next.
    pending: Vec<Change>,
    told_at: Option<Instant>,
    is_scheduled: bool,
    /// No channel is in the room any more. Those that come later have a new one of these, and know nothing of this one's.
    is_closed: bool,
}

impl RoomPresence {
    /// A room of which nothing is known yet.
    pub(super) fn new(room: Room) -> Arc<Self> {
        Arc::new(Self { room, state: Mutex::default(), is_loaded: watch::Sender::new(false) })
    }

    pub(super) fn is_loaded(&self) -> bool {
        *self.is_loaded.borrow()
    }

    /// Waits until it is known who is there.
    pub(super) async fn loaded(&self) {
        // The sender lives as long as this does.
        let _ = self.is_loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    /// Nobody is there whom other hosts know.
    pub(super) fn is_empty_elsewhere(&self) {
        self.is_loaded.send_replace(true);
    }

    /// Presences, and their bytes, as they will be when all changes are told, or some more.
    pub(super) fn count(&self) -> (usize, usize) {
        let state = self.state();
        let pending = state.pending.iter().filter_map(|change| match change {
            Change::Tracked(entry) => Some(entry.size()),
            Change::Ended { .. } => None,
        });
        pending.fold((state.told.len(), state.told.size()), |(count, size), of_one| (count + 1, size + of_one))
    }

    /// Tells a channel who is there. Every diff that it gets after this message is one that the message does not know of.
    pub(super) fn tell_state(&self, channel: &ChannelHandle) -> bool {
        let state = self.state();
        channel.push(ToChannel::PresenceState(state.told.state()))
    }

    /// Tells nothing any more.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
    }

    /// Adds a change, which [`RoomPresence::tell`] tells.
    pub(super) fn add(&self, change: Change) {
        self.state().pending.push(change);
    }

    /// Tells the channels of the room what is pending: now, or a moment later where they were just told something.
    pub(super) fn tell(self: &Arc<Self>, rooms: &Arc<Rooms>) {
        let mut state = self.state();
        if state.is_scheduled || state.pending.is_empty() {
            return;
        }
        let next = state.told_at.map(|at| at + PERIOD);
        let Some(next) = next.filter(|next| *next > Instant::now()) else {
            self.tell_now(&mut state, rooms);
            return;
        };
        state.is_scheduled = true;
        drop(state);
        let (room, rooms) = (Arc::clone(self), Arc::clone(rooms));
        tokio::spawn(async move {
            sleep_until(next).await;
            let mut state = room.state();
            state.is_scheduled = false;
            room.tell_now(&mut state, &rooms);
        });
    }

    /// Makes the presences of all other hosts these, as the table has them, and tells the channels what was different.
    pub(super) fn load(&self, others: Vec<Arc<Entry>>, host: Uuid, rooms: &Rooms) {
        let mut state = self.state();
        // The changes that wait are in the table.
        self.tell_now(&mut state, rooms);
        state.pending = state.told.changes_to(others, host);
        if self.is_loaded() {
            self.tell_now(&mut state, rooms);
            return;
        }
        // Nobody was told anything yet, or will be before this is there.
        let State { told, pending, .. } = &mut *state;
        let mut nobody = Told::default();
        pending.drain(..).for_each(|change| told.apply(&change, &mut nobody));
        drop(state);
        self.is_loaded.send_replace(true);
    }

    /// Ends the presences of hosts that are gone.
    pub(super) fn remove(self: &Arc<Self>, is_gone: impl Fn(&Uuid) -> bool, rooms: &Arc<Rooms>) {
        {
            let mut state = self.state();
            state.pending.retain(|change| !matches!(change, Change::Tracked(entry) if is_gone(&entry.host)));
            let ended = state.told.without(is_gone);
            state.pending.extend(ended);
        }
        self.tell(rooms);
    }

    /// Tells what is pending. The state is locked until every channel has it, so that all get the same in the same order.
    fn tell_now(&self, state: &mut State, rooms: &Rooms) {
        if state.pending.is_empty() || state.is_closed {
            return;
        }
        let mut told = Told::default();
        for change in std::mem::take(&mut state.pending) {
            state.told.apply(&change, &mut told);
        }
        state.told_at = Some(Instant::now());
        if let Some(diff) = told.diff() {
            rooms.presence(&self.room, &diff);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
