//! Who is in one room, as far as its channels were told, and what changes it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::channel::ChannelId;
use crate::event::{PresenceDiff, PresenceMap, PresenceMeta, PresenceState};

/// What one channel tracks.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) channel: ChannelId,
    pub(super) key: Arc<str>,
    /// The reference that clients compare. Later ones of a channel are greater.
    pub(super) reference: Arc<str>,
    /// A JSON object.
    pub(super) meta: Arc<RawValue>,
    /// The host of the channel.
    pub(super) host: Uuid,
}

impl Entry {
    /// What it takes in a message that says who is there.
    pub(super) fn size(&self) -> usize {
        self.key.len() + self.meta.get().len() + self.reference.len()
    }

    fn meta(&self) -> PresenceMeta {
        PresenceMeta { phx_ref: Arc::clone(&self.reference), meta: Arc::clone(&self.meta) }
    }
}

/// A change of what a channel tracks.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// This, instead of anything before.
    Tracked(Arc<Entry>),
    /// Nothing more.
    Ended {
        /// The channel.
        channel: ChannelId,
        /// What it tracked last.
        reference: Arc<str>,
    },
}

/// Who is in a room.
#[derive(Debug, Default)]
pub(super) struct Replica {
    entries: HashMap<ChannelId, Arc<Entry>>,
    size: usize,
}

/// A diff that is being made.
#[derive(Debug, Default)]
pub(super) struct Told {
    joins: BTreeMap<Arc<str>, Vec<PresenceMeta>>,
    leaves: BTreeMap<Arc<str>, Vec<PresenceMeta>>,
}

impl Told {
    /// The diff; nothing where nothing changed. Each reference comes once and goes once, so clients that take joins before leaves, as
    /// all do, end with what is there.
    pub(super) fn diff(self) -> Option<PresenceDiff> {
        if self.joins.is_empty() && self.leaves.is_empty() {
            return None;
        }
        Some(PresenceDiff { joins: self.joins.into_iter().collect(), leaves: self.leaves.into_iter().collect() })
    }

    fn join(&mut self, entry: &Entry) {
        self.joins.entry(Arc::clone(&entry.key)).or_default().push(entry.meta());
    }

    fn leave(&mut self, entry: &Entry) {
        self.leaves.entry(Arc::clone(&entry.key)).or_default().push(entry.meta());
    }
}

impl Replica {
    /// Channels that track something.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of keys and metas.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Makes a change. One that is older than what is known changes nothing: it was read twice.
    pub(super) fn apply(&mut self, change: &Change, told: &mut Told) {
        match change {
            Change::Tracked(entry) => self.track(entry, told),
            Change::Ended { channel, reference } => {
                if self.entries.get(channel).is_some_and(|known| known.reference <= *reference) {
                    self.remove(*channel, told);
                }
            }
        }
    }

    fn track(&mut self, entry: &Arc<Entry>, told: &mut Told) {
        if self.entries.get(&entry.channel).is_some_and(|known| known.reference >= entry.reference) {
            return;
        }
        self.remove(entry.channel, told);
        told.join(entry);
        self.size += entry.size();
        self.entries.insert(entry.channel, Arc::clone(entry));
    }

    fn remove(&mut self, channel: ChannelId, told: &mut Told) {
        if let Some(old) = self.entries.remove(&channel) {
            self.size -= old.size();
            told.leave(&old);
        }
    }

    /// Changes that make the entries of all hosts but `host` these.
    pub(super) fn changes_to(&self, others: Vec<Arc<Entry>>, host: Uuid) -> Vec<Change> {
        let stored: HashSet<ChannelId> = others.iter().map(|entry| entry.channel).collect();
        let gone = self.entries.values().filter(|entry| entry.host != host && !stored.contains(&entry.channel));
        gone.map(|entry| ended(entry)).chain(others.into_iter().map(Change::Tracked)).collect()
    }

    /// Changes that end the entries of hosts of which this is true.
    pub(super) fn without(&self, is_gone: impl Fn(&Uuid) -> bool) -> Vec<Change> {
        self.entries.values().filter(|entry| is_gone(&entry.host)).map(|entry| ended(entry)).collect()
    }

    /// Who is there.
    pub(super) fn state(&self) -> PresenceState {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_unstable_by(|one, other| (&one.key, &one.reference).cmp(&(&other.key, &other.reference)));
        let mut map = PresenceMap::new();
        for entry in entries {
            match map.last_mut().filter(|(key, _)| *key == entry.key) {
                Some((_, metas)) => metas.push(entry.meta()),
                None => map.push((Arc::clone(&entry.key), vec![entry.meta()])),
            }
        }
        PresenceState(map)
    }
}

fn ended(entry: &Entry) -> Change {
    Change::Ended { channel: entry.channel, reference: Arc::clone(&entry.reference) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Uuid = Uuid::from_u128(1);
    const THERE: Uuid = Uuid::from_u128(2);

    fn entry(channel: u128, key: &str, reference: &str, host: Uuid) -> Arc<Entry> {
        let meta = RawValue::from_string("{}".to_owned()).expect("JSON").into();
        Arc::new(Entry {
            channel: ChannelId(Uuid::from_u128(channel)),
            key: key.into(),
            reference: reference.into(),
            meta,
            host,
        })
    }

    /// References by key.
    fn references(map: &PresenceMap) -> Vec<(String, Vec<String>)> {
        let metas = |metas: &Vec<PresenceMeta>| metas.iter().map(|meta| meta.phx_ref.to_string()).collect();
        map.iter().map(|(key, all)| (key.to_string(), metas(all))).collect()
    }

    fn told(replica: &mut Replica, changes: &[Change]) -> PresenceDiff {
        let mut told = Told::default();
        changes.iter().for_each(|change| replica.apply(change, &mut told));
        told.diff().unwrap_or_default()
    }

    fn of(key: &str, all: &[&str]) -> (String, Vec<String>) {
        (key.to_owned(), all.iter().map(|one| (*one).to_owned()).collect())
    }

    #[test]
    fn a_second_track_of_a_channel_replaces_the_first_in_one_diff() {
        let mut replica = Replica::default();
        let first = told(&mut replica, &[Change::Tracked(entry(1, "a", "r1", HERE))]);
        assert_eq!((references(&first.joins), first.leaves.len()), (vec![of("a", &["r1"])], 0));
        let second = told(&mut replica, &[Change::Tracked(entry(1, "a", "r2", HERE))]);
        assert_eq!(
            (references(&second.joins), references(&second.leaves)),
            (vec![of("a", &["r2"])], vec![of("a", &["r1"])])
        );
        assert_eq!(references(&replica.state().0), vec![of("a", &["r2"])]);
    }

    #[test]
    fn a_key_is_there_once_for_each_channel_and_goes_with_the_last() {
        let mut replica = Replica::default();
        let both = [Change::Tracked(entry(1, "a", "r1", HERE)), Change::Tracked(entry(2, "a", "r2", THERE))];
        told(&mut replica, &both);
        assert_eq!((replica.len(), references(&replica.state().0)), (2, vec![of("a", &["r1", "r2"])]));
        let gone = replica.without(|host| *host == THERE);
        let diff = told(&mut replica, &gone);
        assert_eq!((diff.joins.len(), references(&diff.leaves)), (0, vec![of("a", &["r2"])]));
        assert_eq!(references(&replica.state().0), vec![of("a", &["r1"])]);
        let gone = replica.without(|_| true);
        told(&mut replica, &gone);
        assert_eq!((replica.len(), replica.size()), (0, 0));
    }

    #[test]
    fn what_is_read_twice_or_late_changes_nothing() {
        let mut replica = Replica::default();
        let (first, second) = (entry(1, "a", "r1", THERE), entry(1, "a", "r2", THERE));
        told(&mut replica, &[Change::Tracked(Arc::clone(&second))]);
        for late in [Change::Tracked(Arc::clone(&first)), Change::Tracked(second), ended(&first)] {
            let diff = told(&mut replica, &[late]);
            assert!(diff.joins.is_empty() && diff.leaves.is_empty());
        }
        assert_eq!(replica.len(), 1);
    }

    #[test]
    fn a_table_that_is_read_again_ends_what_is_not_in_it_and_leaves_this_hosts_alone() {
        let mut replica = Replica::default();
        let all = [entry(1, "here", "r1", HERE), entry(2, "stays", "r2", THERE), entry(3, "goes", "r3", THERE)];
        told(&mut replica, &all.map(Change::Tracked));
        let stored = vec![entry(2, "stays", "r2", THERE), entry(4, "comes", "r4", THERE)];
        let changes = replica.changes_to(stored, HERE);
        let diff = told(&mut replica, &changes);
        assert_eq!(
            (references(&diff.joins), references(&diff.leaves)),
            (vec![of("comes", &["r4"])], vec![of("goes", &["r3"])])
        );
        assert_eq!(references(&replica.state().0).len(), 3);
    }
}
