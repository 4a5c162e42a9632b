//! Lets a model change rows as the caller. It builds one statement from names and values: names are quoted, values are
//! parameters, and nothing else of what it is given gets into the statement.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod statement;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use behalf_sdk::{Error, Tool, database, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use statement::JsonColumns;

/// `database_write {table, operation, data?, where?, returning?}`: how many rows changed, and what is in them now.
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
    #[serde(default)]
    returning: Option<Vec<String>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<database::RowSet>,
}

impl Tool for DatabaseWrite {
    const NAME: &'static str = "database_write";
    const DEFINITION: &'static str = include_str!("database_write.json");
    type Arguments = Arguments;
    type Output = Written;

    fn call(arguments: Arguments) -> Result<Written, Error> {
        let json =
            if statement::has_texts(&arguments) { json_columns(&arguments.table)? } else { JsonColumns::default() };
        let (sql, params) = statement::build(&arguments, &json)?;
        if arguments.returning.is_none() {
            let rows_affected = database::execute(&sql, &params).map_err(of_argument)?;
            return Ok(Written { success: true, rows_affected, rows: None });
        }
        let rows = database::query(&sql, &params).map_err(of_argument)?;
        if rows.truncated {
            return Err(Error::failed(format!(
                "The host returns at most {} rows, so nothing was changed: change fewer rows at a time, or do without returning.",
                rows.rows.len()
            )));
        }
        let rows_affected = rows.rows.len().try_into().unwrap_or(u64::MAX);
        Ok(Written { success: true, rows_affected, rows: Some(rows) })
    }
}

/// The table's columns of json and jsonb, those of domains over these included. A string for them is a string of JSON, while for
/// every other type it is the text that the type reads. Arrays and objects need no such question: the host knows what each
/// parameter is.
fn json_columns(table: &str) -> Result<JsonColumns, Error> {
    let (schema, name) = table.split_once('.').unwrap_or(("public", table));
    let found = database::query(
        "select column_name from information_schema.columns
         where table_schema = $1 and table_name = $2 and data_type in ('json', 'jsonb')",
        params![schema, name],
    )?;
    let name = |row: Vec<database::Value>| match row.into_iter().next() {
        Some(database::Value::Text(name)) => Some(name),
        _ => None,
    };
    Ok(found.rows.into_iter().filter_map(name).collect())
}

/// Names of columns are arguments of this tool, so a wrong one is the caller's mistake.
fn of_argument(error: database::Error) -> Error {
    if error.code == "invalid" { Error::invalid_arguments(error.message) } else { error.into() }
}

behalf_sdk::export_lean_tools!(DatabaseWrite);

#[cfg(test)]
mod tests {
    use behalf_sdk::mock::Host;
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
    fn a_string_goes_by_the_type_of_its_column() {
        let host = Host::new();
        host.answer("information_schema.columns", json!([{"column_name": "meta"}]));
        host.answer("insert into", 1);
        let row = json!({"meta": "a", "more": ["a"], "title": "a"});
        let written = host.call::<DatabaseWrite>(json!({"table": "app.notes", "operation": "insert", "data": row}));
        assert_eq!(written, Ok(json!({"success": true, "rows_affected": 1})));
        let statements = host.statements();
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[0].params, params!["app", "notes"]);
        assert_eq!(statements[1].params, params![r#""a""#, r#"["a"]"#, "a"]);
    }

    #[test]
    fn rows_are_returned_where_they_are_wanted() {
        let host = Host::new();
        host.answer("insert into", json!([{"id": 7}]));
        let asked = json!({"table": "notes", "operation": "insert", "data": {"n": 1}, "returning": ["id"]});
        let written = host.call::<DatabaseWrite>(asked.clone());
        assert_eq!(written, Ok(json!({"success": true, "rows_affected": 1, "rows": [{"id": 7}]})));
        assert_eq!(host.statements()[0].sql, r#"insert into "notes" ("n") values ($1) returning "id""#);
        drop(host);
        let host = Host::new();
        let cut = database::RowSet { columns: Vec::new(), rows: vec![Vec::new()], truncated: true };
        host.answer("insert into", cut);
        let written = host.call::<DatabaseWrite>(asked);
        assert!(written.is_err_and(|error| error.message.contains("nothing was changed")));
    }
}
