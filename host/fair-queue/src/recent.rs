//! The callers that were there last and neither hold nor wait for a place.

use std::collections::VecDeque;

use crate::caller::Standing;

/// Callers that are kept of each standing. One that is there is enough; some of them are active again, or were heavy.
const KEPT: usize = 8;

/// The last callers of each standing, the latest first.
#[derive(Debug)]
pub(crate) struct Recent<K> {
    light: VecDeque<K>,
    new: VecDeque<K>,
    heavy: VecDeque<K>,
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self { light: VecDeque::new(), new: VecDeque::new(), heavy: VecDeque::new() }
    }
}

impl<K: Clone + Eq> Recent<K> {
    /// A caller of this standing became idle.
    pub(crate) fn note(&mut self, key: &K, standing: Standing) {
        let kept = match standing {
            Standing::Light => &mut self.light,
            Standing::New => &mut self.new,
            Standing::Heavy => &mut self.heavy,
        };
        if kept.front() == Some(key) {
            return;
        }
        kept.retain(|other| other != key);
        kept.truncate(KEPT - 1);
        kept.push_front(key.clone());
    }

    /// All of them, light ones first. One may be named twice, as what it was and what it is.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.light.iter().chain(&self.new).chain(&self.heavy)
    }
}
