//! Lets a model read the database as the caller. All that keeps it to the caller's rows is outside this component: it
//! passes the statement on, and the host runs it under the caller's role and claims.

#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use behalf_sdk::{Error, Tool, database, log};
use serde::Deserialize;

/// `database_query {query, params?}`: the rows as an array of objects.
struct DatabaseQuery;

#[derive(Deserialize)]
struct Arguments {
    query: String,
    #[serde(default)]
    params: Option<Vec<serde_json::Value>>,
}

impl Tool for DatabaseQuery {
    const NAME: &'static str = "database_query";
    const DEFINITION: &'static str = include_str!("database_query.json");
    type Arguments = Arguments;
    type Output = database::RowSet;

    fn call(arguments: Arguments) -> Result<database::RowSet, Error> {
        let params: Vec<_> = arguments.params.iter().flatten().map(database::Value::from).collect();
        let rows = database::query(&arguments.query, &params)?;
        if rows.truncated {
            // The result is an array, as existing callers of this tool expect, and has no place to say it.
            log::warn(format!("the answer was cut after {} rows", rows.rows.len()));
        }
        Ok(rows)
    }
}

behalf_sdk::export_lean_tools!(DatabaseQuery);
