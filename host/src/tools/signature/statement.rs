use serde::{Deserialize, Serialize};

use crate::sandbox::Grants;

/// What a publisher vouches for. Unknown and repeated fields are refused: there is one way to read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The plugin's name.
    pub name: String,
    /// Its version. Versions have an order, so that an old one cannot take a newer one's place.
    pub version: semver::Version,
    /// `sha256:` and the digest of the component, in hexadecimal.
    pub digest: String,
    /// The most that it may be granted.
    pub grants: Grants,
}

impl Statement {
    /// The digest as a statement has it.
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
