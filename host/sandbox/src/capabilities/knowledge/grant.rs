//! The knowledge grant.

use serde::{Deserialize, Serialize};

/// Knowledge bases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeGrants {
    /// By name or id.
    #[serde(default)]
    pub knowledge_bases: Vec<String>,
}
