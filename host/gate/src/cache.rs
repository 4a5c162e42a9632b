//! The gate as a server uses it: it caches verdicts and parses on its own threads.

use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::policy::Policy;
use super::refusal::Refusal;
use super::verdict::{ParameterBound, Verdict};
use super::{text, threads};

type Answer = Result<Arc<Verdict>, Arc<Refusal>>;

/// Size of the cache. Plugins mostly send the same few statements, so this holds the verdicts of thousands of plugins.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// The expected number of statements in the cache, at a typical length.
const CACHED_STATEMENTS: usize = 8192;

/// Size of an entry without its texts: the key, the verdict, the cache's own bookkeeping.
const ENTRY_BYTES: u64 = 320;

/// The SQL gate with a cache of verdicts. One serves a whole process.
#[derive(Debug)]
pub struct Gate {
    cache: Cache<Key, Answer, Bytes>,
}

impl Gate {
    /// Makes a gate that caches verdicts and refusals in at most 16 MiB.
    pub fn new() -> Self {
        Self { cache: Cache::with_weighter(CACHED_STATEMENTS, CACHE_BYTES, Bytes) }
    }

    /// Checks a statement, as [`check`](super::check) does, without blocking the calling thread.
    pub async fn check(&self, sql: &str, policy: &Arc<Policy>) -> Answer {
        // This comes before hashing and caching, because a text may have any length.
        if sql.len() > text::MAX_BYTES {
            return Err(Arc::new(Refusal::TooLong { bytes: sql.len(), limit: text::MAX_BYTES }));
        }
        if let Some(known) = self.cache.get(&KeyRef { policy: policy.id, text: sql }) {
            return known;
        }
        let answer = threads::check(sql, policy).await.map(Arc::new).map_err(Arc::new);
        // A failure of the parser is no verdict, and may not happen again.
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

/// A borrowed [`Key`], which hashes in the same way.
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
        let held = answer.as_ref().map_or(0, |verdict| {
            let words: usize = verdict.parameter_bounds.iter().map(|bound| bound.what.capacity()).sum();
            verdict.statement.len() + words + verdict.parameter_bounds.capacity() * size_of::<ParameterBound>()
        });
        // A usize is no longer than 64 bits wherever this runs.
        (key.text.len() + held) as u64 + ENTRY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_parameters_weigh_as_much_as_they_hold() {
        let weight = |sql: &str| {
            let verdict = crate::check(sql, &crate::tests::reader()).expect("an ordinary statement");
            Bytes.weight(&Key { policy: 0, text: sql.into() }, &Ok(Arc::new(verdict)))
        };
        let list = |condition: &str| {
            let all: Vec<String> = (1..=50).map(|number| format!("title {condition} ${number}")).collect();
            format!("select 1 from notes where {}", all.join(" or "))
        };
        let bounds = 50 * size_of::<ParameterBound>() as u64;
        assert!(weight(&list("like")) > weight(&list("=")) + bounds);
    }
}
