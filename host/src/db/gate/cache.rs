//! The gate as a server uses it: verdicts are remembered, and parsing happens on threads of its own.

use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::policy::Policy;
use super::refusal::Refusal;
use super::verdict::Verdict;
use super::{text, threads};

type Answer = Result<Arc<Verdict>, Arc<Refusal>>;

/// Tools send mostly the same few statements, so this holds the verdicts of thousands of plugins.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// How many statements that is, at a typical length.
const CACHED_STATEMENTS: usize = 8192;

/// What an entry costs beside its texts: the key, the verdict, the cache's own bookkeeping.
const ENTRY_BYTES: u64 = 320;

/// The SQL gate with its memory. One for the process.
#[derive(Debug)]
pub struct Gate {
    cache: Cache<Key, Answer, Bytes>,
}

impl Gate {
    /// A gate that remembers verdicts, and refusals, within 16 MiB.
    pub fn new() -> Self {
        Self { cache: Cache::with_weighter(CACHED_STATEMENTS, CACHE_BYTES, Bytes) }
    }

    /// Judges a statement, as [`check`](super::check) does, without holding up the thread that asks.
    pub async fn check(&self, sql: &str, policy: &Arc<Policy>) -> Answer {
        // Before anything is hashed or kept: a text of any length may come in.
        if sql.len() > text::MAX_BYTES {
            return Err(Arc::new(Refusal::TooLong { bytes: sql.len(), limit: text::MAX_BYTES }));
        }
        if let Some(known) = self.cache.get(&KeyRef { policy: policy.id, text: sql }) {
            return known;
        }
        let answer = threads::check(sql, policy).await.map(Arc::new).map_err(Arc::new);
        // A failure to examine is no verdict, and may pass.
        if !matches!(&answer, Err(refusal) if **refusal == Refusal::Unexamined) {
            self.cache.insert(Key { policy: policy.id, text: sql.into() }, answer.clone());
        }
        answer
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    policy: u64,
    text: Box<str>,
}

/// A key to look up with, which hashes as [`Key`] does.
#[derive(Hash)]
struct KeyRef<'a> {
    policy: u64,
    text: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.policy == key.policy && *self.text == *key.text
    }
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<Key, Answer> for Bytes {
    fn weight(&self, key: &Key, answer: &Answer) -> u64 {
        let statement = answer.as_ref().map_or(0, |verdict| verdict.statement.len());
        // A usize is no longer than 64 bits wherever this runs.
        (key.text.len() + statement) as u64 + ENTRY_BYTES
    }
}
