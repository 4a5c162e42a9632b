//! The database grant.

use serde::{Deserialize, Serialize};

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseGrants {
    /// Reading, or reading and writing.
    pub access: DatabaseAccess,
    /// Schemas it may use; none means no table at all.
    #[serde(default)]
    pub schemas: Vec<String>,
    /// Tables of those schemas, as `table` (of the only schema) or `schema.table`; empty means all.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Rows of one answer.
    #[serde(default = "default_max_rows")]
    pub max_rows: u32,
}

/// How much of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseAccess {
    /// Nothing.
    None,
    /// SELECT.
    Read,
    /// SELECT, INSERT, UPDATE, DELETE, MERGE.
    Write,
}

fn default_max_rows() -> u32 {
    1000
}
