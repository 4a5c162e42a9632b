//! Lets a model change rows as the caller. It builds one statement from names and values: names are quoted, values are
//! parameters, and nothing else of what it is given gets into the statement.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod statement;

use alloc::string::String;

use behalf_sdk::{Error, Tool, database};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use statement::ColumnTypes;

/// `database_write {table, operation, data?, where?}`: how many rows changed.
struct DatabaseWrite;

/// What to do. The fields not needed by an operation may be there, but must be empty.
#[derive(Deserialize)]
struct Arguments {
    table: String,
    operation: Operation,
    #[serde(default)]
    data: Value,
    #[serde(default, rename = "where")]
    conditions: Option<Map<String, Value>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Insert,
    Update,
    Delete,
}

#[derive(Serialize)]
struct Written {
    success: bool,
    rows_affected: u64,
}

impl Tool for DatabaseWrite {
    const NAME: &'static str = "database_write";
    const DEFINITION: &'static str = include_str!("database_write.json");
    type Arguments = Arguments;
    type Output = Written;

    fn call(arguments: Arguments) -> Result<Written, Error> {
        let types =
            if statement::has_arrays(&arguments) { column_types(&arguments.table) } else { ColumnTypes::default() };
        let (sql, params) = statement::build(&arguments, &types)?;
        let rows_affected = database::execute(&sql, &params)?;
        Ok(Written { success: true, rows_affected })
    }
}

/// What the caller may know of the table's columns. Where that is nothing, values are converted without it, and the
/// statement itself will say what is wrong.
fn column_types(table: &str) -> ColumnTypes {
    let (schema, name) = match table.split_once('.') {
        Some((schema, name)) => (Some(schema), name),
        None => (None, table),
    };
    database::describe(schema).map(|tables| ColumnTypes::of(&tables, schema, name)).unwrap_or_default()
}

behalf_sdk::export_lean_tools!(DatabaseWrite);

#[cfg(test)]
mod tests {
    use behalf_sdk::mock::Host;
    use behalf_sdk::params;
    use serde_json::json;

    use super::*;

    #[test]
    fn one_statement_changes_rows() {
        let host = Host::new();
        host.answer("delete from", 2);
        let written =
            host.call::<DatabaseWrite>(json!({"table": "notes", "operation": "delete", "where": {"done": true}}));
        assert_eq!(written, Ok(json!({"success": true, "rows_affected": 2})));
        assert_eq!(host.statements().len(), 1);
        assert_eq!(host.statements()[0].params, params![true]);
    }

    #[test]
    fn an_array_goes_by_the_type_of_its_column() {
        let host = Host::new();
        let column = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true});
        let columns = [column("tags", "text[]"), column("meta", "jsonb")];
        host.set_description(&json!([{"schema": "public", "name": "notes", "columns": columns}]));
        host.answer("insert into", 1);
        let row = json!({"tags": ["a"], "meta": ["a"]});
        let written = host.call::<DatabaseWrite>(json!({"table": "notes", "operation": "insert", "data": row}));
        assert_eq!(written.map(|written| written["rows_affected"].clone()), Ok(json!(1)));
        let mut values = host.statements()[0].params.clone();
        values.sort_by_key(|value| format!("{value:?}"));
        assert_eq!(values, params![r#"["a"]"#, r#"{"a"}"#]);
    }
}
