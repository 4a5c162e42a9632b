//! Which sources can have chunks that a caller sees, found out of the policies on `ai.chunks`.
//!
//! A search is faster when it knows them: it then reads the few chunks of one owner by an index instead of looking for them among
//! everybody's. What is found here holds every source that the policies let the caller see chunks of, and perhaps others. Policies hold
//! for the search itself, so a mistake here can make a search slow or leave chunks out; it shows nothing to anybody.
//!
//! The statement is made of the conditions of policies, as the catalogue of the database has them, and of constants. It runs as the
//! caller, with a bound on the rows and on the time. The policies are read with every search, so a changed policy counts at once: the
//! statement of those that held last is tried at the same time, and what it found is thrown away if others hold now.

mod derive;
mod policies;
mod run;
mod statement;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use behalf_host_db::HostDb;
use behalf_identity::{CallerKey, Principal, Role};
use uuid::Uuid;

use super::app::AppLimits;
use policies::{Counted, Policies};
use statement::ReachText;

pub use run::ReachError;

/// How many sources are named at most.
pub const MAX_SOURCES: usize = 4_000;

/// How many derivations are kept: one for each role, and some that changed lately.
const KEPT: usize = 16;

/// How long policies are taken for unknown after their statement failed or took too long.
const GIVEN_UP: Duration = Duration::from_mins(1);

/// Whose reach is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ReachRequest<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// Whose share of the connections it uses.
    pub key: CallerKey,
    /// The bases whose chunks are counted.
    pub knowledge_bases: &'a [Uuid],
    /// Chunks of known sources beyond this number are not counted.
    pub most_chunks: u32,
    /// Chunks of whole bases beyond this number are not counted.
    pub most_of_all: u32,
    /// Chunks are counted in so many sources. Of more, their number is estimated by these.
    pub counted_sources: u32,
    /// Its limits. A caller whose sources are not found in time has an unknown reach.
    pub limits: AppLimits,
}

/// Sources outside of which a caller sees no chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A policy shows the caller every chunk, or the caller's role has no policies.
    All {
        /// Chunks of the bases, as far as they were counted.
        chunks: u32,
    },
    /// These sources.
    Sources {
        /// Their ids.
        ids: Vec<Uuid>,
        /// Chunks of the bases in them, as far as they were counted or estimated.
        chunks: u32,
    },
    /// More than [`MAX_SOURCES`], or than a rough answer is to name.
    Many,
    /// The policies decide by something else than the source.
    Unknown,
}

/// Where a caller can have chunks, among how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The sources.
    pub reach: Reach,
    /// All chunks of everybody, as they were last counted. Nothing that is found may depend on it, only how.
    pub table_chunks: u64,
}

/// What was derived of policies, and since when their statement is not run.
#[derive(Clone, Debug)]
struct Kept {
    text: Option<ReachText>,
    given_up: Option<Instant>,
}

/// Policies as they were read, and the rows of their tables.
#[derive(Clone, Debug, Default)]
struct Known {
    policies: Arc<Policies>,
    counted: Counted,
}

/// Derivations by the policies that they were made of.
#[derive(Debug)]
pub(super) struct ReachCache {
    host: HostDb,
    kept: Mutex<HashMap<Arc<Policies>, Kept>>,
    /// What held for a role when it was read last.
    last: Mutex<HashMap<Role, Known>>,
}

impl ReachCache {
    pub(super) fn new(host: HostDb) -> Self {
        Self { host, kept: Mutex::default(), last: Mutex::default() }
    }

    fn last(&self, role: Role) -> Option<Known> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(&role).cloned()
    }

    fn set_last(&self, role: Role, known: Known) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(role, known);
    }

    fn get(&self, policies: &Policies) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(policies).cloned()
    }

    fn keep(&self, policies: Arc<Policies>, kept: Kept) {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT && !all.contains_key(&policies) {
            all.clear();
        }
        all.insert(policies, kept);
    }
}

impl Known {
    /// So many chunks there are in so many sources; none where nobody counted.
    fn mean(&self) -> Option<Counted> {
        let Counted { chunks, sources } = self.counted;
        (chunks > 0 && sources > 0).then_some(Counted { chunks: chunks.max(sources), sources })
    }
}

impl Kept {
    /// The statement, unless there is none or it was given up lately.
    fn usable(&self) -> Option<&ReachText> {
        let rests = self.given_up.is_some_and(|since| since.elapsed() < GIVEN_UP);
        self.text.as_ref().filter(|_| !rests)
    }
}
