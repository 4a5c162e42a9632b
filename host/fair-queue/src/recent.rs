//! The callers that were there last and neither hold nor wait for a place.

use std::collections::VecDeque;

use crate::caller::Standing;

/// The last callers of each standing, the latest first.
#[derive(Debug)]
pub(crate) struct Recent<K> {
    /// Callers that are kept of each standing. One that is idle is enough, so it is one more than can hold places.
    kept: usize,
    light: VecDeque<K>,
    new: VecDeque<K>,
    heavy: VecDeque<K>,
}

impl<K: Clone + Eq> Recent<K> {
    pub(crate) fn new(places: usize) -> Self {
        let kept = places.saturating_add(1);
        Self { kept, light: VecDeque::new(), new: VecDeque::new(), heavy: VecDeque::new() }
    }

    /// A caller of this standing became idle.
    pub(crate) fn note(&mut self, key: &K, standing: Standing) {
        let most = self.kept;
        let kept = match standing {
            Standing::Light => &mut self.light,
            Standing::New => &mut self.new,
            Standing::Heavy => &mut self.heavy,
        };
        if kept.front() == Some(key) {
            return;
        }
        kept.retain(|other| other != key);
        kept.truncate(most - 1);
        kept.push_front(key.clone());
    }

    /// All of them, light ones first. One may be named twice, as what it was and what it is.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.light.iter().chain(&self.new).chain(&self.heavy)
    }
}
