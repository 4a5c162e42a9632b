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
