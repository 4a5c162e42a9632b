//! The database grant.

use serde::{Deserialize, Serialize};

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct DatabaseGrants {
    /// Reading, or reading and writing.
    pub access: DatabaseAccess,
    /// Schemas it may use; none means no table at all.
    pub schemas: Vec<String>,
    /// Tables of those schemas, as `table` (of the only schema) or `schema.table`; empty means all.
    pub tables: Vec<String>,
    /// Rows of one answer.
    pub max_rows: u32,
}

/// The grant as people write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    access: DatabaseAccess,
    schemas: Option<Vec<String>>,
    #[serde(default)]
    tables: Vec<String>,
    #[serde(default = "default_max_rows")]
    max_rows: u32,
}

/// A database grant that would give nothing, although it says that it does.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("database: access = {0:?} needs schemas, as in schemas = [\"public\"]; without them no table could be used")]
struct NoSchemas(&'static str);

impl TryFrom<Written> for DatabaseGrants {
    type Error = NoSchemas;

    fn try_from(written: Written) -> Result<Self, NoSchemas> {
        let Written { access, schemas, tables, max_rows } = written;
        let schemas = match (schemas, access) {
            (Some(schemas), _) => schemas,
            (None, DatabaseAccess::None) => Vec::new(),
            (None, DatabaseAccess::Read) => return Err(NoSchemas("read")),
            (None, DatabaseAccess::Write) => return Err(NoSchemas("write")),
        };
        Ok(Self { access, schemas, tables, max_rows })
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::grants::Grants;

    #[test]
    fn access_without_schemas_is_refused_when_it_is_read() {
        let read = |grant| Grants::from_json(json!({ "database": grant }));
        for access in ["read", "write"] {
            let error = read(json!({ "access": access })).expect_err("it grants nothing").to_string();
            assert!(error.contains(access) && error.contains("schemas = [\"public\"]"), "{error}");
            assert!(read(json!({ "access": access, "schemas": [] })).is_ok(), "whoever writes the empty list means it");
        }
        assert!(read(json!({"access": "none"})).is_ok());
        let misspelt = read(json!({"access": "read", "schemas": ["public"], "table": ["notes"]}));
        assert!(misspelt.is_err_and(|error| error.to_string().contains("table")));
        let stored = serde_json::to_value(read(json!({"access": "read", "schemas": ["public"]})).expect("a grant"));
        assert_eq!(
            stored.expect("JSON"),
            json!({"database": {"access": "read", "schemas": ["public"], "tables": [], "max_rows": 1000}})
        );
    }
}
