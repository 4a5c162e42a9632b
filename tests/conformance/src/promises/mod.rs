//! Every promise, by topic. The pages in `docs/conformance/` are made from this.

mod arguments;
mod changes;
mod definitions;
mod isolation;
mod limits;
mod stores;

use crate::promise::Promise;

/// All promises, in the order in which they are reported.
pub fn promises() -> impl Iterator<Item = &'static Promise> {
    [definitions::ALL, arguments::ALL, limits::ALL, stores::ALL, isolation::ALL, changes::ALL].into_iter().flatten()
}

/// The promise of this id.
pub fn promise(id: &str) -> Option<&'static Promise> {
    promises().find(|promise| promise.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_has_an_id_of_its_own_and_a_sentence() {
        let ids: std::collections::BTreeSet<_> = promises().map(|promise| promise.id).collect();
        assert_eq!(ids.len(), promises().count());
        for promise in promises() {
            let (topic, word) = promise.id.split_once('.').expect("a topic and a word");
            let plain =
                |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(plain(topic) && plain(word), "{}", promise.id);
            for text in [promise.sentence, promise.why, promise.how, promise.fix] {
                assert!(text.ends_with('.') && text.len() > 20, "{}: {text}", promise.id);
            }
        }
    }
}
