//! The knowledge grant.

use serde::{Deserialize, Serialize};

use crate::grants::GrantError;

/// Stands for every base that the caller can see.
pub(super) const EVERY_BASE: &str = "*";

/// Bases that one grant can name. A search asks for all of them.
const MAX_BASES: usize = 100;
/// Bytes of a name or an id.
pub(super) const MAX_NAME: usize = 200;

/// Knowledge bases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeGrants {
    /// By name or id; `*` is every base that the caller can see.
    #[serde(default)]
    pub knowledge_bases: Vec<String>,
}

impl KnowledgeGrants {
    /// Whether every base is granted.
    pub(super) fn has_every_base(&self) -> bool {
        self.knowledge_bases.iter().any(|name| name == EVERY_BASE)
    }

    /// Refuses names that no base has, and more than a search can ask for.
    pub(super) fn check(&self) -> Result<(), GrantError> {
        if self.knowledge_bases.len() > MAX_BASES {
            return Err(GrantError::Unsupported("a grant names at most 100 knowledge bases; `*` is all of them"));
        }
        let bad = self.knowledge_bases.iter().find(|name| !(1..=MAX_NAME).contains(&name.len()) || name.contains('\0'));
        bad.map_or(Ok(()), |name| Err(GrantError::KnowledgeBase(name.clone())))
    }

    /// Whether this grant allows bases that another one does not.
    pub(super) fn exceeds(&self, other: &Self) -> bool {
        !other.has_every_base() && self.knowledge_bases.iter().any(|name| !other.knowledge_bases.contains(name))
    }
}
