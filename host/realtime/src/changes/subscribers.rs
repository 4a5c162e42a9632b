//! Who at this host wants changes of what.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use behalf_identity::{Principal, Role};
use behalf_replication::{Kind, Relation};

use super::filter::Condition;
use crate::channel::{ChannelHandle, ChannelId};

/// Stands for every table, also those that are published later.
pub(super) const EVERY_TABLE: u32 = 0;

/// What one subscription wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Want {
    /// The kind of change; none is all.
    pub(super) kind: Option<WantedKind>,
    /// The schema; none is all.
    pub(super) schema: Option<String>,
    /// The table; none is all.
    pub(super) table: Option<String>,
    /// Conditions that all have to hold.
    pub(super) conditions: Vec<Condition>,
    /// The columns that are told.
    pub(super) selection: Selection,
}

/// Columns of which values are told, beside those of the primary key; none is all that the role may read.
pub(super) type Selection = Option<Arc<BTreeSet<String>>>;

/// A kind of change, as a subscription names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WantedKind {
    Insert,
    Update,
    Delete,
}

impl Want {
    /// Whether it is about such changes of the table.
    pub(super) fn is_about(&self, relation: &Relation, kind: Kind) -> bool {
        let is_kind = match self.kind {
            None => true,
            Some(WantedKind::Insert) => kind == Kind::Insert,
            Some(WantedKind::Update) => kind == Kind::Update,
            Some(WantedKind::Delete) => kind == Kind::Delete,
        };
        is_kind
            && self.schema.as_deref().is_none_or(|schema| schema == &*relation.schema)
            && self.table.as_deref().is_none_or(|table| table == &*relation.name)
    }
}

/// Subscribers with the same claims, who see the same rows.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) principal: Arc<Principal>,
    /// The ids that the user may have in columns of a row; none where that is not known.
    pub(super) uids: Vec<String>,
    pub(super) groups: Vec<Group>,
}

/// Those of them who want the same.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) want: Arc<Want>,
    /// Channels, and the subscription's id in each.
    pub(super) listeners: Vec<(ChannelHandle, i64)>,
}

/// All of them, by identities. It is made anew after a change.
pub(super) type Index = Vec<Arc<Identity>>;

/// The subscribers.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    channels: HashMap<ChannelId, Entry>,
    version: u64,
    index: Option<Arc<Index>>,
}

#[derive(Debug)]
struct Entry {
    handle: ChannelHandle,
    principal: Arc<Principal>,
    wants: Vec<Arc<Want>>,
    /// The tables that these are about.
    relations: Vec<u32>,
}

impl Subscribers {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a channel, in the place of what it had. Returns the version of the list that has it.
    pub(super) fn add(
        &self,
        handle: ChannelHandle,
        principal: Arc<Principal>,
        wants: Vec<Want>,
        relations: Vec<u32>,
    ) -> u64 {
        let wants = wants.into_iter().map(Arc::new).collect();
        let mut inner = self.inner();
        inner.channels.insert(handle.id, Entry { handle, principal, wants, relations });
        inner.changed()
    }

    /// Removes a channel.
    pub(super) fn remove(&self, channel: ChannelId) {
        let mut inner = self.inner();
        if inner.channels.remove(&channel).is_some() {
            inner.changed();
        }
    }

    /// Judges as somebody else from now on.
    pub(super) fn set_principal(&self, channel: ChannelId, principal: Arc<Principal>) {
        let mut inner = self.inner();
        if let Some(entry) = inner.channels.get_mut(&channel) {
            entry.principal = principal;
            inner.changed();
        }
    }

    /// Whether there is nobody.
    pub(super) fn is_empty(&self) -> bool {
        self.inner().channels.is_empty()
    }

    /// The tables, and the version of the list that they are of.
    pub(super) fn relations(&self) -> (u64, BTreeSet<u32>) {
        let inner = self.inner();
        (inner.version, inner.channels.values().flat_map(|entry| entry.relations.iter().copied()).collect())
    }

    /// Every channel.
    pub(super) fn channels(&self) -> Vec<ChannelHandle> {
        self.inner().channels.values().map(|entry| entry.handle.clone()).collect()
    }

    /// Everybody by identities.
    pub(super) fn index(&self) -> Arc<Index> {
        let mut inner = self.inner();
        if let Some(index) = &inner.index {
            return Arc::clone(index);
        }
        let index = Arc::new(made_of(inner.channels.values()));
        inner.index = Some(Arc::clone(&index));
        index
    }
}

impl Inner {
    fn changed(&mut self) -> u64 {
        self.index = None;
        self.version += 1;
        self.version
    }
}

/// Channels and ids by what they want.
type Listeners<'a> = HashMap<&'a Arc<Want>, Vec<(ChannelHandle, i64)>>;

fn made_of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Index {
    let mut places: HashMap<(Role, &str), usize> = HashMap::new();
    let mut found: Vec<(Arc<Principal>, Listeners<'_>)> = Vec::new();
    for entry in entries {
        let key = (entry.principal.role(), &**entry.principal.claims());
        let place = *places.entry(key).or_insert_with(|| {
            found.push((Arc::clone(&entry.principal), HashMap::new()));
            found.len() - 1
        });
        let Some((_, groups)) = found.get_mut(place) else { continue };
        for (want, id) in entry.wants.iter().zip(1..) {
            groups.entry(want).or_default().push((entry.handle.clone(), id));
        }
    }
    let group = |(want, listeners): (&Arc<Want>, Vec<_>)| Group { want: Arc::clone(want), listeners };
    let identity = |(principal, groups): (Arc<Principal>, HashMap<_, _>)| {
        let uids = principal.uids().iter().map(ToString::to_string).collect();
        Arc::new(Identity { principal, uids, groups: groups.into_iter().map(group).collect() })
    };
    found.into_iter().map(identity).collect()
}
