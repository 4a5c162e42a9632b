//! The statement that a publisher signs.

use behalf_sandbox::Grants;
use serde::{Deserialize, Serialize};

/// What a publisher says about a plugin. Unknown and repeated fields are refused, so that there is one way to read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The plugin's name.
    pub name: String,
    /// Its version. Versions are ordered, so that an old one does not replace a newer one.
    pub version: semver::Version,
    /// `sha256:` and the digest of the component, in hexadecimal.
    pub digest: String,
    /// The most that it may be granted.
    pub grants: Grants,
}

impl Statement {
    /// A digest as it is written in a statement.
    pub fn digest(digest: [u8; 32]) -> String {
        format!("sha256:{}", hex::encode(digest))
    }

    /// Canonical JSON: keys in order and no spaces, so that the same statement is always the same bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut value = serde_json::to_value(self).expect("texts and numbers only");
        value.sort_all_objects();
        value.to_string().into_bytes()
    }
}
