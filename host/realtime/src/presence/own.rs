//! What the channels of this host track, and what of it is still to be stored and told to the other hosts.
//!
//! What is to be told is kept by channel, not as a list of changes: while the database is away it grows with the channels that track
//! something, not with time, and no change is lost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::replica::{Change, Entry};
use crate::channel::ChannelId;
use crate::room::Room;

/// Changes that are stored in one transaction, and their bytes.
const MOST: usize = 500;
const FULL: usize = 256 * 1024;

/// What a channel tracks.
#[derive(Debug)]
struct Tracked {
    room: Room,
    entry: Arc<Entry>,
    /// The client's part of the meta.
    plain: Box<str>,
    /// Whether the table and the other hosts may know of something that the channel tracks.
    is_told: bool,
}

/// The presences of this host.
#[derive(Debug, Default)]
pub(super) struct Own {
    tracked: HashMap<ChannelId, Tracked>,
    /// Channels that track nothing more, of which others may know something.
    ended: HashMap<ChannelId, (Room, Arc<str>)>,
    /// Channels of which others do not know the last state.
    untold: HashSet<ChannelId>,
}

/// Changes to store and to tell.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// Channels whose rows are not right any more.
    pub(super) stale: Vec<ChannelId>,
    /// All changes.
    pub(super) changes: Vec<(Room, Change)>,
}

impl Untold {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn channels(&self) -> impl Iterator<Item = (ChannelId, bool)> {
        self.changes.iter().map(|(_, change)| match change {
            Change::Tracked(entry) => (entry.channel, false),
            Change::Ended { channel, .. } => (*channel, true),
        })
    }
}

impl Own {
    /// What the channel tracks, and the client's part of it.
    pub(super) fn of(&self, channel: ChannelId) -> Option<(&Entry, &str)> {
        self.tracked.get(&channel).map(|tracked| (&*tracked.entry, &*tracked.plain))
    }

    /// The channel tracks this from now on.
    pub(super) fn track(&mut self, room: &Room, entry: &Arc<Entry>, plain: Box<str>) {
        let channel = entry.channel;
        let was_told = self.tracked.get(&channel).is_some_and(|before| before.is_told);
        let is_told = self.ended.remove(&channel).is_some() || was_told;
        self.tracked.insert(channel, Tracked { room: room.clone(), entry: Arc::clone(entry), plain, is_told });
        self.untold.insert(channel);
    }

    /// The channel tracks nothing from now on. What it was that it tracked.
    pub(super) fn end(&mut self, channel: ChannelId) -> Option<Arc<Entry>> {
        let Tracked { room, entry, is_told, .. } = self.tracked.remove(&channel)?;
        if is_told {
            self.ended.insert(channel, (room, Arc::clone(&entry.reference)));
            self.untold.insert(channel);
        } else {
            self.untold.remove(&channel);
        }
        Some(entry)
    }

    /// The others may have forgotten everything.
    pub(super) fn tell_all(&mut self) {
        for (channel, tracked) in &mut self.tracked {
            tracked.is_told = true;
            self.untold.insert(*channel);
        }
    }

    /// Takes what is to be told, as much as goes into one transaction.
    pub(super) fn take(&mut self) -> Untold {
        let (mut untold, mut size) = (Untold::default(), 0);
        let next: Vec<ChannelId> = self.untold.iter().copied().take(MOST).collect();
        for channel in next {
            if size >= FULL {
                break;
            }
            self.untold.remove(&channel);
            if let Some(tracked) = self.tracked.get_mut(&channel) {
                if std::mem::replace(&mut tracked.is_told, true) {
                    untold.stale.push(channel);
                }
                size += tracked.entry.size() + tracked.room.topic().len();
                untold.changes.push((tracked.room.clone(), Change::Tracked(Arc::clone(&tracked.entry))));
            } else if let Some((room, reference)) = self.ended.get(&channel) {
                untold.stale.push(channel);
                untold.changes.push((room.clone(), Change::Ended { channel, reference: Arc::clone(reference) }));
            }
        }
        untold
    }

    /// What was taken is told.
    pub(super) fn told(&mut self, untold: &Untold) {
        for (channel, has_ended) in untold.channels() {
            if has_ended && !self.untold.contains(&channel) {
                self.ended.remove(&channel);
            }
        }
    }

    /// What was taken may not be told.
    pub(super) fn not_told(&mut self, untold: &Untold) {
        self.untold.extend(untold.channels().map(|(channel, _)| channel));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::presence::wire::raw;

    const CHANNEL: ChannelId = ChannelId(Uuid::from_u128(1));

    fn track(own: &mut Own, reference: &str) {
        let meta = raw("{}").expect("JSON");
        let entry = Entry { channel: CHANNEL, key: "a".into(), reference: reference.into(), meta, host: Uuid::nil() };
        own.track(&Room::new("room", false), &Arc::new(entry), "{}".into());
    }

    /// What is to be told, as `+reference` or `-reference`, and how many rows are not right any more.
    fn taken(own: &mut Own) -> (Vec<String>, usize, Untold) {
        let untold = own.take();
        let text = |(_, change): &(Room, Change)| match change {
            Change::Tracked(entry) => format!("+{}", entry.reference),
            Change::Ended { reference, .. } => format!("-{reference}"),
        };
        (untold.changes.iter().map(text).collect(), untold.stale.len(), untold)
    }

    #[test]
    fn only_the_last_state_of_a_channel_is_told() {
        let mut own = Own::default();
        track(&mut own, "r1");
        track(&mut own, "r2");
        let (changes, stale, untold) = taken(&mut own);
        assert_eq!((changes, stale), (vec!["+r2".to_owned()], 0));
        own.told(&untold);
        assert!(own.take().is_empty());
        track(&mut own, "r3");
        own.end(CHANNEL);
        let (changes, stale, untold) = taken(&mut own);
        assert_eq!((changes, stale), (vec!["-r3".to_owned()], 1));
        own.told(&untold);
        assert!(own.take().is_empty() && own.ended.is_empty() && own.tracked.is_empty());
    }

    #[test]
    fn what_nobody_was_told_of_leaves_nothing_behind() {
        let mut own = Own::default();
        track(&mut own, "r1");
        assert!(own.end(CHANNEL).is_some() && own.end(CHANNEL).is_none());
        assert!(own.take().is_empty() && own.ended.is_empty());
    }

    #[test]
    fn what_may_not_have_been_told_is_told_again() {
        let mut own = Own::default();
        track(&mut own, "r1");
        let (_, _, untold) = taken(&mut own);
        own.end(CHANNEL);
        own.not_told(&untold);
        let (changes, stale, untold) = taken(&mut own);
        assert_eq!((changes, stale), (vec!["-r1".to_owned()], 1));
        track(&mut own, "r2");
        own.told(&untold);
        let (changes, stale, untold) = taken(&mut own);
        assert_eq!((changes, stale), (vec!["+r2".to_owned()], 1));
        own.told(&untold);
        own.tell_all();
        assert_eq!(taken(&mut own).0, ["+r2"]);
    }
}
