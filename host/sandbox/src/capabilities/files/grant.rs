//! The files grant.

use serde::{Deserialize, Serialize};

/// A folder to work in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesGrants {
    /// The calls that share the folder.
    pub workspace: Workspace,
    /// Bytes it may hold.
    #[serde(default)]
    pub max_bytes: u64,
}

/// How long a folder lives and which calls share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workspace {
    /// No folder.
    None,
    /// Empty at the start of each call, removed at its end.
    Call,
    /// One for each session of an agent.
    Session,
    /// One for each user.
    User,
}
