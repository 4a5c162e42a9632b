//! The stores of a mocked host's plugin. As on the host, what is written is undone with its call or its scope.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::behalf::tool::kv::Error;

/// Bytes of a key and of a value, and keys of one answer, as on the host.
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 65_536;
const MAX_KEYS: u32 = 1_000;

/// Entries of each user, or of nobody for the store that callers share.
type All = BTreeMap<Option<String>, BTreeMap<String, String>>;

#[derive(Debug, Default)]
pub(super) struct Stores {
    all: All,
    /// What there was at the begin of each open scope, the innermost last.
    before_scopes: Vec<All>,
    /// What there was at the begin of the call, or at its last commit.
    before_call: Option<All>,
    shared: bool,
    failure: Option<Error>,
}

impl Stores {
    pub(super) fn share(&mut self) {
        self.shared = true;
    }

    pub(super) fn fail(&mut self, failure: Error) {
        self.failure = Some(failure);
    }

    pub(super) fn put(&mut self, user: Option<&str>, key: &str, value: String) {
        let owner = self.owner(user);
        self.all.entry(owner).or_default().insert(key.to_owned(), value);
    }

    pub(super) fn of(&self, user: Option<&str>) -> BTreeMap<String, String> {
        self.all.get(&self.owner(user)).cloned().unwrap_or_default()
    }

    pub(super) fn begin_call(&mut self) {
        self.before_call = Some(self.all.clone());
    }

    pub(super) fn end_call(&mut self, keep: bool) {
        self.before_scopes.clear();
        if let Some(before) = self.before_call.take().filter(|_| !keep) {
            self.all = before;
        }
    }

    pub(super) fn commit(&mut self) {
        if let Some(before) = &mut self.before_call {
            before.clone_from(&self.all);
        }
    }

    pub(super) fn begin_scope(&mut self) {
        self.before_scopes.push(self.all.clone());
    }

    pub(super) fn end_scope(&mut self, keep: bool) {
        if let Some(before) = self.before_scopes.pop().filter(|_| !keep) {
            self.all = before;
        }
    }

    pub(super) fn get(&self, user: Option<&str>, key: &str) -> Result<Option<String>, Error> {
        self.check(user)?;
        check_key(key)?;
        Ok(self.all.get(&self.owner(user)).and_then(|mine| mine.get(key)).cloned())
    }

    pub(super) fn set(&mut self, user: Option<&str>, key: &str, value: &str) -> Result<(), Error> {
        self.check(user)?;
        check_key(key)?;
        check_value(value)?;
        self.put(user, key, value.to_owned());
        Ok(())
    }

    pub(super) fn replace(
        &mut self,
        user: Option<&str>,
        key: &str,
        old: Option<&str>,
        value: &str,
    ) -> Result<bool, Error> {
        check_value(value)?;
        let fits = self.get(user, key)?.as_deref() == old;
        if fits {
            self.put(user, key, value.to_owned());
        }
        Ok(fits)
    }

    pub(super) fn remove(&mut self, user: Option<&str>, key: &str) -> Result<bool, Error> {
        self.check(user)?;
        check_key(key)?;
        let owner = self.owner(user);
        Ok(self.all.get_mut(&owner).and_then(|mine| mine.remove(key)).is_some())
    }

    pub(super) fn keys(
        &self,
        user: Option<&str>,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, Error> {
        self.check(user)?;
        if !(1..=MAX_KEYS).contains(&limit) {
            return Err(error("invalid", format!("the limit is a number from 1 to {MAX_KEYS}")));
        }
        let mine = self.of(user);
        let fits = |key: &String| key.starts_with(prefix) && after.is_none_or(|after| &**key > after);
        Ok(mine.into_keys().filter(fits).take(limit as usize).collect())
    }

    fn owner(&self, user: Option<&str>) -> Option<String> {
        user.filter(|_| !self.shared).map(str::to_owned)
    }

    fn check(&self, user: Option<&str>) -> Result<(), Error> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None if self.shared || user.is_some() => Ok(()),
            None => {
                Err(error("denied", "each user has a store of this plugin, and this call is made for no user".into()))
            }
        }
    }
}

fn check_key(key: &str) -> Result<(), Error> {
    if (1..=MAX_KEY).contains(&key.len()) && !key.contains('\0') {
        Ok(())
    } else {
        Err(error("invalid", format!("a key has 1 to {MAX_KEY} bytes, and no zero byte")))
    }
}

fn check_value(value: &str) -> Result<(), Error> {
    if value.len() <= MAX_VALUE {
        Ok(())
    } else {
        Err(error("invalid", format!("a value has at most {MAX_VALUE} bytes")))
    }
}

fn error(code: &str, message: String) -> Error {
    Error { code: code.into(), message, retryable: false }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use serde_json::{Value, json};

    use crate::mock::Host;
    use crate::{database, kv};

    #[test]
    fn each_user_has_a_store_unless_callers_share_one() {
        let host = Host::new();
        host.put_kv("a/1", json!({"n": 1}));
        kv::set("a/2", "two").expect("written");
        kv::set("b", &[1, 2]).expect("written");
        assert_eq!(kv::get("a/1"), Ok(Some(json!({"n": 1}))));
        assert_eq!(kv::keys("a/", None, 10), Ok(vec!["a/1".into(), "a/2".into()]));
        assert_eq!(kv::keys("", Some("a/1"), 1), Ok(vec!["a/2".into()]));
        assert_eq!((kv::remove("b"), kv::remove("b")), (Ok(true), Ok(false)));
        assert!(kv::get::<u8>("a/2").expect_err("another type").message.contains("a/2"));
        host.set_caller("bob");
        assert_eq!((kv::get::<Value>("a/1"), host.kv()), (Ok(None), json!({})));
        host.set_role("anon");
        assert_eq!(kv::get::<Value>("a/1").expect_err("nobody").code, "denied");
        host.share_kv();
        kv::set("rate", &1.5).expect("written");
        host.set_caller("bob");
        assert_eq!((kv::get("rate"), host.kv()), (Ok(Some(1.5)), json!({"rate": 1.5})));
    }

    #[test]
    fn what_is_written_goes_with_its_scope() {
        let host = Host::new();
        let write = |key: &str| database::scope(|| Ok::<_, crate::Error>(kv::set(key, &1)?));
        let failed: Result<(), crate::Error> = database::scope(|| {
            write("a")?;
            write("")
        });
        assert_eq!(failed.expect_err("no key").code, "invalid_arguments");
        assert_eq!(host.kv(), json!({}));
        write("a").expect("kept");
        assert_eq!(host.kv(), json!({"a": 1}));
    }

    /// Writes, and fails where it is told so.
    struct Writes;

    impl crate::Tool for Writes {
        const NAME: &'static str = "writes";
        const DEFINITION: &'static str = "{}";
        type Arguments = Value;
        type Output = u32;

        fn call(arguments: Value) -> Result<u32, crate::Error> {
            let count = kv::update("count", |count: Option<u32>| count.unwrap_or(0) + 1)?;
            if arguments["fails"] == true { Err(crate::Error::failed("as told")) } else { Ok(count) }
        }
    }

    #[test]
    fn a_call_that_fails_writes_nothing() {
        let host = Host::new();
        assert_eq!(host.call::<Writes>(json!({})), Ok(json!(1)));
        assert!(host.call::<Writes>(json!({"fails": true})).is_err());
        assert_eq!(host.kv(), json!({"count": 1}));
        assert_eq!(host.call::<Writes>(json!({})), Ok(json!(2)));
        host.fail_kv("limit", "The store is full.");
        let error = host.call::<Writes>(json!({})).expect_err("an error");
        assert_eq!((error.code.as_str(), error.message.as_str()), ("failed", "The store is full."));
    }
}
