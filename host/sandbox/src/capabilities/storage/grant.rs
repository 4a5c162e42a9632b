//! The storage grant.

use serde::{Deserialize, Serialize};

use crate::grants::GrantError;

/// Stands for every bucket of the app.
const EVERY_BUCKET: &str = "*";

/// Buckets and their objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageGrants {
    /// The buckets by their ids; `*` is every bucket of the app.
    pub buckets: Vec<String>,
    /// Reading, or reading and writing.
    pub access: StorageAccess,
    /// The folder that the tool is kept in, with a slash at its end; none means the whole of each bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// How much of the buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageAccess {
    /// Nothing.
    None,
    /// Listing, reading and signing addresses to read at.
    Read,
    /// The same, writing and removing.
    Write,
}

impl StorageGrants {
    /// Whether this bucket is among those granted.
    pub(super) fn has_bucket(&self, bucket: &str) -> bool {
        self.buckets.iter().any(|one| one == EVERY_BUCKET || one == bucket)
    }

    /// The folder that names are kept in; empty where it is the whole bucket.
    pub(super) fn folder(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    /// The prefix to list by, so that nothing outside of the folder is in the list; none where nothing could be in it.
    pub(super) fn narrowed<'a>(&'a self, prefix: &'a str) -> Option<&'a str> {
        let folder = self.folder();
        if prefix.starts_with(folder) { Some(prefix) } else { folder.starts_with(prefix).then_some(folder) }
    }

    /// Refuses a folder that is none: one without a slash at its end would also be the start of other folders' names.
    pub(super) fn check(&self) -> Result<(), GrantError> {
        let is_folder = |prefix: &str| {
            prefix.strip_suffix('/').is_some_and(|path| path.split('/').all(|part| !["", ".", ".."].contains(&part)))
        };
        match self.prefix.as_deref() {
            Some(prefix) if !is_folder(prefix) => Err(GrantError::Prefix(prefix.to_owned())),
            _ => Ok(()),
        }
    }

    /// The first thing that this grant allows and another does not.
    pub(super) fn exceeds(&self, other: &Self) -> Option<&'static str> {
        if self.access == StorageAccess::Write && other.access != StorageAccess::Write {
            return Some("writing to buckets");
        }
        if !self.buckets.iter().all(|bucket| other.has_bucket(bucket)) {
            return Some("buckets");
        }
        (!self.folder().starts_with(other.folder())).then_some("folders of buckets")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn grant(mut more: Value) -> StorageGrants {
        let mut grant = json!({"buckets": ["a"], "access": "read"});
        if let (Value::Object(grant), Value::Object(more)) = (&mut grant, &mut more) {
            grant.append(more);
        }
        serde_json::from_value(grant).expect("a grant")
    }

    #[test]
    fn a_list_never_leaves_the_folder() {
        let folder = grant(json!({"prefix": "reports/2026/"}));
        for (asked, listed) in [
            ("", Some("reports/2026/")),
            ("rep", Some("reports/2026/")),
            ("reports/2026/", Some("reports/2026/")),
            ("reports/2026/may", Some("reports/2026/may")),
            ("reports/2025/", None),
            ("reports/2026", Some("reports/2026/")),
            ("other", None),
        ] {
            assert_eq!(folder.narrowed(asked), listed, "{asked}");
        }
        assert_eq!(grant(json!({})).narrowed("any"), Some("any"));
    }

    #[test]
    fn a_prefix_is_a_folder() {
        for good in ["a/", "a/b/", "a b/.c/"] {
            assert_eq!(grant(json!({ "prefix": good })).check(), Ok(()), "{good}");
        }
        for bad in ["", "/", "a", "a//", "/a/", "../", "a/../", "./a/"] {
            assert_eq!(grant(json!({ "prefix": bad })).check(), Err(GrantError::Prefix(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn less_is_within_and_more_is_beyond() {
        let all = json!({"buckets": ["*"], "access": "write"});
        for (mine, theirs, expected) in [
            (json!({}), json!({}), false),
            (json!({}), all.clone(), false),
            (all, json!({}), true),
            (json!({"buckets": ["*"]}), json!({"buckets": ["a", "b"]}), true),
            (json!({"buckets": ["b"]}), json!({"buckets": ["a", "b"]}), false),
            (json!({"access": "write"}), json!({}), true),
            (json!({"prefix": "x/y/"}), json!({"prefix": "x/"}), false),
            (json!({"prefix": "x/"}), json!({}), false),
            (json!({}), json!({"prefix": "x/"}), true),
            (json!({"prefix": "xy/"}), json!({"prefix": "x/"}), true),
        ] {
            assert_eq!(grant(mine.clone()).exceeds(&grant(theirs.clone())).is_some(), expected, "{mine} of {theirs}");
        }
    }
}
