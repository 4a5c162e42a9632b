//! Remembers tokens that were verified, so that strangers at the same address cannot use up the places of callers who are
//! known here.

use std::hash::{BuildHasher, RandomState};

use quick_cache::sync::Cache;

/// Tokens that are remembered. The least used ones make room for others, and are counted by address once more.
const TOKENS: usize = 20_000;

/// Hashes of tokens that were valid when they were last sent. Being in here says nothing of a token's validity now: it is
/// verified with each request all the same.
pub(crate) struct KnownTokens {
    /// With keys of this process: nobody outside can find two tokens of one hash.
    hasher: RandomState,
    hashes: Cache<u64, ()>,
}

impl KnownTokens {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), hashes: Cache::new(TOKENS) }
    }

    pub(crate) fn contains(&self, token: &str) -> bool {
        self.hashes.get(&self.hasher.hash_one(token)).is_some()
    }

    pub(crate) fn add(&self, token: &str) {
        self.hashes.insert(self.hasher.hash_one(token), ());
    }

    pub(crate) fn forget(&self, token: &str) {
        self.hashes.remove(&self.hasher.hash_one(token));
    }
}

impl std::fmt::Debug for KnownTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownTokens")
    }
}
