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
        let params: Vec<_> = arguments.params.into_iter().flatten().map(database::Value::from).collect();
        let rows = database::query(&arguments.query, &params).map_err(of_argument)?;
        if rows.truncated {
            // The result is an array, as existing callers of this tool expect, and has no place to say it.
            log::warn(format!("the answer was cut after {} rows", rows.rows.len()));
        }
        Ok(rows)
    }
}

/// The statement is an argument of this tool, so a wrong one is the caller's mistake.
fn of_argument(error: database::Error) -> Error {
    if error.code == "invalid" { Error::invalid_arguments(error.message) } else { error.into() }
}

behalf_sdk::export_lean_tools!(DatabaseQuery);

#[cfg(test)]
mod tests {
    use behalf_sdk::mock::Host;
    use behalf_sdk::params;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_statement_is_passed_on_as_it_is() {
        let host = Host::new();
        host.answer("select title", json!([{"title": "Garden"}]));
        let query = "select title from notes where id = $1 and done = $2";
        let rows = host.call::<DatabaseQuery>(json!({"query": query, "params": ["7", null]}));
        assert_eq!(rows, Ok(json!([{"title": "Garden"}])));
        assert_eq!(host.statements()[0].sql, query);
        assert_eq!(host.statements()[0].params, params!["7", Value::Null]);
    }

    #[test]
    fn a_wrong_statement_is_the_callers_mistake() {
        let host = Host::new();
        for (code, sqlstate, expected) in [
            ("invalid", "42703", "invalid_arguments"),
            ("forbidden", "42501", "denied"),
            ("timeout", "57014", "failed"),
        ] {
            let (code, sqlstate, message) = (code.into(), Some(sqlstate.into()), "Why.".into());
            host.answer_once("select", database::Error { code, sqlstate, message, retryable: false });
            let error = host.call::<DatabaseQuery>(json!({"query": "select titel from notes"})).expect_err("an error");
            assert_eq!((error.code.as_str(), error.message.as_str()), (expected, "Why."));
        }
    }

    #[test]
    fn an_answer_that_was_cut_is_logged() {
        let host = Host::new();
        host.answer("select", database::RowSet { columns: Vec::new(), rows: vec![Vec::new()], truncated: true });
        assert_eq!(host.call::<DatabaseQuery>(json!({"query": "select 1", "params": null})), Ok(json!([{}])));
        assert_eq!(host.log_lines(), ["warn the answer was cut after 1 rows"]);
    }
}
