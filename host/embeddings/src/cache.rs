//! Vectors of queries that were asked lately.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

/// Size of the cache: the vectors of about ten thousand queries of the local model.
const BYTES: u64 = 16 * 1024 * 1024;
/// The expected number of vectors in it.
const EXPECTED: usize = 8_192;
/// Size of an entry without its numbers and the model's name.
const ENTRY_BYTES: usize = 128;

/// Vectors by model and text. A text is kept as its hash only.
#[derive(Debug)]
pub(crate) struct QueryCache(Cache<Key, Arc<[f32]>, Bytes>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    model: Box<str>,
    text: [u8; 32],
}

impl Key {
    pub(crate) fn new(model: &str, text: &str) -> Self {
        Self { model: model.into(), text: Sha256::digest(text).into() }
    }
}

impl QueryCache {
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(EXPECTED, BYTES, Bytes))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Vec<f32>> {
        self.0.get(key).map(|vector| vector.to_vec())
    }

    pub(crate) fn keep(&self, key: Key, vector: &[f32]) {
        self.0.insert(key, vector.into());
    }
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<Key, Arc<[f32]>> for Bytes {
    fn weight(&self, key: &Key, vector: &Arc<[f32]>) -> u64 {
        (ENTRY_BYTES + key.model.len() + size_of_val::<[f32]>(vector)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_kept_by_model_and_text_within_the_bound() {
        let cache = QueryCache::new();
        cache.keep(Key::new("a", "text"), &[1.0, 2.0]);
        assert_eq!(cache.get(&Key::new("a", "text")), Some(vec![1.0, 2.0]));
        assert_eq!(cache.get(&Key::new("b", "text")), None);
        assert_eq!(cache.get(&Key::new("a", "text ")), None);
        for n in 0..20_000 {
            cache.keep(Key::new("a", &n.to_string()), &[0.5; 384]);
        }
        assert!(cache.0.weight() <= BYTES && cache.0.weight() > BYTES / 2, "{}", cache.0.weight());
    }
}
