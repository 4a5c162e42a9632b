//! What agents of a mocked host remember of their users.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::documents::likeness;
use crate::bindings::behalf::tool::memory::{Entry, Error};

/// When every memory was kept.
const KEPT: &str = "2026-01-01T00:00:00Z";

#[derive(Debug, Default)]
pub(super) struct Memories {
    /// By user, the oldest first.
    all: Vec<(String, Entry)>,
    kept: usize,
    failure: Option<Error>,
}

impl Memories {
    pub(super) fn put(&mut self, user: Option<String>, text: &str, meta: &str) -> String {
        self.kept += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.kept);
        let entry =
            Entry { id: id.clone(), text: text.to_owned(), score: 0.0, meta: meta.to_owned(), created_at: KEPT.into() };
        self.all.push((user.unwrap_or_default(), entry));
        id
    }

    pub(super) fn texts(&self, user: Option<&str>) -> Vec<String> {
        self.of(user.unwrap_or_default()).map(|one| one.text.clone()).collect()
    }

    pub(super) fn fail(&mut self, failure: Error) {
        self.failure = Some(failure);
    }

    pub(super) fn remember(&mut self, user: Option<String>, text: &str, meta: &str) -> Result<String, Error> {
        self.check(user.as_deref())?;
        Ok(self.put(user, text, meta))
    }

    pub(super) fn recall(&self, user: Option<&str>, query: &str, top_k: u32) -> Result<Vec<Entry>, Error> {
        let user = self.check(user)?;
        let mut found: Vec<_> =
            self.of(user).map(|one| Entry { score: likeness(query, &one.text), ..one.clone() }).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(top_k as usize);
        Ok(found)
    }

    pub(super) fn forget(&mut self, user: Option<&str>, id: &str) -> Result<bool, Error> {
        let user = self.check(user)?.to_owned();
        let before = self.all.len();
        self.all.retain(|(of, one)| *of != user || one.id != id);
        Ok(self.all.len() < before)
    }

    /// Those of a user, the newest first.
    fn of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.all.iter().rev().filter(move |(of, _)| of == user).map(|(_, one)| one)
    }

    fn check<'a>(&self, user: Option<&'a str>) -> Result<&'a str, Error> {
        let nobody = || Error {
            code: "denied".into(),
            message: "only a user has memories, and this call is made for no user".into(),
            retryable: false,
        };
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => user.ok_or_else(nobody),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use serde_json::{Map, json};

    use crate::memory;
    use crate::mock::Host;

    #[test]
    fn what_is_remembered_is_the_users_alone() {
        let host = Host::new();
        host.put_memory("drinks tea");
        let meta = json!({"of": "work"}).as_object().cloned().unwrap_or_default();
        let id = memory::remember_with("works at night", &meta).expect("kept");
        assert_eq!(host.memories(), ["works at night", "drinks tea"]);
        let found: Vec<_> = memory::recall("what tea", 1).expect("memories").into_iter().map(|one| one.text).collect();
        assert_eq!(found, ["drinks tea"]);
        assert_eq!(memory::recall("", 5).expect("memories")[0].meta, r#"{"of":"work"}"#);
        host.set_caller("bob");
        assert_eq!((memory::recall("tea", 5), memory::forget(&id)), (Ok(Vec::new()), Ok(false)));
        host.set_caller(Host::USER);
        assert_eq!((memory::forget(&id), memory::forget(&id)), (Ok(true), Ok(false)));
        host.set_role("anon");
        assert_eq!(memory::remember("a").expect_err("nobody").code, "denied");
        host.set_caller("bob");
        host.fail_memory("unavailable", "Not now.");
        let error = crate::Error::from(memory::remember_with("a", &Map::new()).expect_err("an error"));
        assert_eq!((error.code.as_str(), error.retryable), ("failed", true));
    }
}
