//! What subscribers are told of changes that they did not get, not too often; and whose policies rest because they took too long.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use behalf_identity::Principal;
use tokio::time::Instant;

use crate::channel::{ChannelHandle, ChannelId, ToChannel};

/// How often one channel is told the same.
const AGAIN: Duration = Duration::from_secs(10);

/// How long an identity's rows of a table are not judged after its policies took too long: at first, and at most. It doubles.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Entries of either list; the oldest are forgotten.
const MOST: usize = 10_000;

/// Why a subscriber did not get changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trouble {
    /// The role may not read the table, or not its key.
    NoRight,
    /// A policy failed.
    Policy,
    /// Policies, or a filter, took too long.
    Slow,
    /// The database could not be asked.
    Database,
    /// A row was too large to be read.
    TooLarge,
    /// This host could not judge as fast as changes came.
    TooMany,
}

impl Trouble {
    fn text(self) -> &'static str {
        match self {
            Self::NoRight => {
                "Changes are withheld: your role may not read a table that you subscribed to, or not its primary key"
            }
            Self::Policy => {
                "Changes are withheld: a policy or a filter on a table that you subscribed to failed for you"
            }
            Self::Slow => {
                "Changes are withheld: the policies of a table that you subscribed to, or your filter, took too long; changes of the next moments are not told either"
            }
            Self::Database => "Changes may be missing: the database could not be asked which of them you see",
            Self::TooLarge => "Changes may be missing: a row was too large to be told",
            Self::TooMany => "Changes may be missing: there were more than could be told in time",
        }
    }
}

/// What was told, and what rests.
#[derive(Debug, Default)]
pub(super) struct Notices {
    told: Mutex<HashMap<(ChannelId, Trouble), Instant>>,
    paused: Mutex<HashMap<(Arc<str>, u32), Pause>>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Notices {
    /// Tells a channel, unless it was told a moment ago.
    pub(super) fn tell(&self, handle: &ChannelHandle, trouble: Trouble) {
        let now = Instant::now();
        let mut told = lock(&self.told);
        let key = (handle.id, trouble);
        if told.get(&key).is_some_and(|at| now.duration_since(*at) < AGAIN) {
            return;
        }
        trim(&mut told, |at| now.duration_since(*at) < AGAIN);
        told.insert(key, now);
        drop(told);
        let message = trouble.text().to_owned();
        handle.push(ToChannel::System { extension: "postgres_changes", is_ok: false, message });
    }

    /// Whether rows of the table are not judged for them now.
    pub(super) fn is_paused(&self, principal: &Principal, table: u32) -> bool {
        let paused = lock(&self.paused);
        !paused.is_empty() && paused.get(&key(principal, table)).is_some_and(|pause| Instant::now() < pause.until)
    }

    /// Their policies took too long.
    pub(super) fn pause(&self, principal: &Principal, table: u32) {
        let now = Instant::now();
        let mut paused = lock(&self.paused);
        trim(&mut paused, |pause| now < pause.until);
        let before = paused.get(&key(principal, table));
        let length = before.map_or(PAUSE, |pause| pause.length.saturating_mul(2).min(LONGEST_PAUSE));
        paused.insert(key(principal, table), Pause { until: now + length, length });
    }

    /// Their policies answered.
    pub(super) fn went_well(&self, principal: &Principal, table: u32) {
        let mut paused = lock(&self.paused);
        if !paused.is_empty() {
            paused.remove(&key(principal, table));
        }
    }
}

fn key(principal: &Principal, table: u32) -> (Arc<str>, u32) {
    (Arc::clone(principal.claims()), table)
}

/// Keeps what still counts, or nothing where that is too much.
fn trim<K: Eq + Hash, V>(all: &mut HashMap<K, V>, counts: impl Fn(&V) -> bool) {
    if all.len() >= MOST {
        all.retain(|_, value| counts(value));
        if all.len() >= MOST {
            all.clear();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
