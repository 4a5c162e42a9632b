//! The grant of a plugin's own store.

use serde::{Deserialize, Serialize};

use crate::grants::GrantError;

/// The most entries that a grant may allow. A write counts the entries of its store.
const MAX_ENTRIES: u32 = 10_000;
/// The most bytes that a grant may allow.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A store of the plugin's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KvGrants {
    /// Reading, or reading and writing.
    pub access: KvAccess,
    /// Whose store it is.
    #[serde(default)]
    pub scope: KvOwner,
    /// Entries that one store may have: 1 to 10,000.
    #[serde(default = "default_max_entries")]
    pub max_entries: u32,
    /// Bytes of the keys and values of one store: 1 to 16 MiB.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: u64,
}

/// How much of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvAccess {
    /// Nothing.
    None,
    /// Reading.
    Read,
    /// The same, writing and removing.
    Write,
}

/// Whose a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvOwner {
    /// Each user who calls has one.
    #[default]
    Caller,
    /// All callers of the plugin share one: what a call writes there, every other call reads.
    Plugin,
}

impl KvGrants {
    /// Refuses bounds beyond those of the host.
    pub(super) fn check(&self) -> Result<(), GrantError> {
        if (1..=MAX_ENTRIES).contains(&self.max_entries) && (1..=MAX_BYTES).contains(&self.max_bytes) {
            return Ok(());
        }
        let wrong = "kv.max_entries is a number from 1 to 10000, and kv.max_bytes one from 1 to 16777216";
        Err(GrantError::Unsupported(wrong))
    }

    /// The first thing that this grant allows and the other does not.
    pub(super) fn exceeds(&self, other: &Self) -> Option<&'static str> {
        if self.access > other.access {
            return Some("writing to its store");
        }
        if self.scope > other.scope {
            return Some("a store that all callers share");
        }
        let is_larger = self.max_entries > other.max_entries || self.max_bytes > other.max_bytes;
        is_larger.then_some("the size of its store")
    }
}

fn default_max_entries() -> u32 {
    1_000
}

fn default_max_bytes() -> u64 {
    1024 * 1024
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::grants::Grants;

    fn read(kv: &Value) -> Grants {
        Grants::from_json(json!({ "kv": kv })).unwrap_or_else(|error| panic!("{kv}: {error}"))
    }

    #[test]
    fn more_is_beyond_and_less_is_within() {
        let small = json!({"access": "read"});
        for more in [
            json!({"access": "write"}),
            json!({"access": "read", "scope": "plugin"}),
            json!({"access": "read", "max_entries": 1_001}),
            json!({"access": "read", "max_bytes": 1_048_577}),
        ] {
            assert!(read(&more).exceeds(&read(&small)).is_some(), "{more}");
            assert!(read(&small).exceeds(&read(&more)).is_none(), "{more}");
            assert!(read(&more).exceeds(&read(&more)).is_none(), "{more}");
        }
        let none = json!({"access": "none", "scope": "plugin", "max_entries": 10_000});
        assert!(read(&none).exceeds(&Grants::default()).is_none(), "nothing is not more than nothing");
    }

    #[test]
    fn bounds_beyond_the_hosts_are_refused() {
        let import = crate::imports::ImportedInterface {
            name: "behalf:tool/kv@0.1.1".to_owned(),
            functions: vec!["get".to_owned()],
        };
        let check = |kv: &Value| read(kv).check(std::slice::from_ref(&import), &[]).is_ok();
        assert!(check(&json!({"access": "write", "max_entries": 10_000, "max_bytes": 16_777_216})));
        for wrong in [
            json!({"access": "write", "max_entries": 0}),
            json!({"access": "write", "max_entries": 10_001}),
            json!({"access": "write", "max_bytes": 0}),
            json!({"access": "write", "max_bytes": 16_777_217}),
        ] {
            assert!(!check(&wrong), "{wrong}");
        }
        assert!(
            read(&json!({"access": "read"})).check(&[], &[]).is_err(),
            "who does not import it cannot be granted it"
        );
        for form in [json!("write"), json!({}), json!({"access": "all"}), json!({"access": "read", "more": 1})] {
            assert!(Grants::from_json(json!({ "kv": form })).is_err(), "{form}");
        }
    }
}
