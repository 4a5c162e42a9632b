//! The memory grant.

use serde::{Deserialize, Serialize};

/// How much of what an agent remembers of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryAccess {
    /// Nothing.
    None,
    /// Recalling.
    Read,
    /// The same, remembering and forgetting.
    Write,
}
