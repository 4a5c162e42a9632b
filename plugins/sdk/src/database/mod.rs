//! The project's database, as the caller: row-level security decides which rows exist.
//!
//! # Typed rows
//!
//! [`query_as`] reads each row into a type: a struct by column name, a tuple by position. [`query_one`], [`query_optional`]
//! and [`query_scalar`] do so for one row, or for one value. Text serves for what JSON would be text for, uuids and times
//! with their crates' `serde` features; a numeric can be read as text, as a number, or as any type that reads text.
//!
//! Parameters are written with [`params!`](crate::params):
//!
//! ```no_run
//! # fn tool() -> Result<(), behalf_sdk::Error> {
//! use behalf_sdk::{database, params};
//!
//! let ids = vec![1, 2, 3];
//! let total: f64 = database::query_scalar(
//!     "select coalesce(sum(amount), 0) from public.expenses where category = $1 and id = any($2)",
//!     params!["food", database::array(&ids)],
//! )?;
//! # Ok(())
//! # }
//! ```
//!
//! # JSON and database values
//!
//! [`Value::from`] a JSON value makes a parameter, whose type the server infers from the statement:
//!
//! | JSON | parameter |
//! |---|---|
//! | null, boolean, number | NULL, boolean, integer (float where it has a fraction or is too large) |
//! | string | text, which serves for uuid, numeric, timestamptz, date and json as well |
//! | object | its JSON text, for json and jsonb, and for composite types, whose fields it names |
//! | array | its JSON text, for arrays (`= any($1)`), json and jsonb, and pgvector's types |
//!
//! The host gives an array or an object the form that its parameter takes: `["a"]` is an array of Postgres for a `text[]`, and a
//! JSON array for a `jsonb`. A string for a json parameter is JSON text; [`json`] and [`json_parameter`] make that of a value.
//!
//! A [`RowSet`] serializes as an array of objects, whose keys are the column names in the order of the select list; a name
//! that appears again gets `_2`, `_3` … appended. Booleans, integers and floats become JSON's, json and arrays become
//! what they say, a vector becomes an array of numbers, bytea becomes `\x…`, and everything else stays text: a numeric too,
//! so that no digit is lost.
//!
//! # Scopes
//!
//! A call that may write is one transaction. A call that can only read (it has no grant to write, or its tool says
//! `read_only`) sends each statement as a transaction of its own: two statements may see different rows, and `now()` differs
//! between them. [`scope`] gives several statements one snapshot, and lets a call go on after a statement that failed:
//!
//! ```
//! # fn save(title: &str) -> Result<bool, behalf_sdk::Error> {
//! use behalf_sdk::{database, params};
//!
//! let saved = database::scope(|| database::execute("insert into public.tags (title) values ($1)", params![title]));
//! match saved {
//!     Ok(_) => Ok(true),
//!     // The tag is there already. Everything else that the call did stays.
//!     Err(error) if error.code == "constraint" => Ok(false),
//!     Err(error) => Err(error.into()),
//! }
//! # }
//! # let host = behalf_sdk::mock::Host::new();
//! # host.answer_once("insert", 1);
//! # host.fail("insert", "constraint", "There is one already.");
//! # assert_eq!((save("a"), save("a")), (Ok(true), Ok(false)));
//! ```

mod array;
mod decode;
mod json;
mod params;
mod quote;

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use array::array;
pub use quote::{escape_like, quote_identifier, quote_table};

pub use crate::bindings::behalf::tool::database::{Column, Error, RowSet, Value};
use crate::door::database as host;

/// One SELECT, VALUES or TABLE (or, where writing is granted, a data-changing statement with RETURNING), with $1, $2 …
///
/// The host may cut a long answer short, and says so in [`RowSet::truncated`].
pub fn query(sql: &str, params: &[Value]) -> Result<RowSet, Error> {
    host::query(sql, params)
}

/// [`query`], with each row read into a `T`. An answer that the host cut short is an error, so that nothing is summed up
/// or shown that is not whole: add LIMIT, or use [`query`] and [`RowSet::decode`].
pub fn query_as<T: DeserializeOwned>(sql: &str, params: &[Value]) -> Result<Vec<T>, crate::Error> {
    whole(query(sql, params)?)?.decode()
}

/// [`query_as`] for a statement that finds one row; any other number is an error.
pub fn query_one<T: DeserializeOwned>(sql: &str, params: &[Value]) -> Result<T, crate::Error> {
    query_optional(sql, params)?.ok_or_else(|| crate::Error::failed("One row was to be found, and there is none."))
}

/// [`query_as`] for a statement that finds one row or none; more are an error.
pub fn query_optional<T: DeserializeOwned>(sql: &str, params: &[Value]) -> Result<Option<T>, crate::Error> {
    let rows = whole(query(sql, params)?)?;
    at_most_one(&rows)?;
    Ok(rows.decode()?.pop())
}

/// The first column of the one row that the statement finds. `Option<T>` where it may be NULL.
pub fn query_scalar<T: DeserializeOwned>(sql: &str, params: &[Value]) -> Result<T, crate::Error> {
    let rows = whole(query(sql, params)?)?;
    at_most_one(&rows)?;
    rows.decode_scalar()
}

/// One INSERT, UPDATE, DELETE or MERGE; returns the number of rows.
pub fn execute(sql: &str, params: &[Value]) -> Result<u64, Error> {
    host::execute(sql, params)
}

/// Runs `work` in a scope: `Ok` keeps what it did to the database, and `Err` undoes it. The call goes on in both cases. A
/// panic ends the call, which undoes all that was not committed.
///
/// In a call that can only read, all statements of the outermost scope see the same snapshot and the same `now()`. Scopes
/// can be inside each other, 8 deep.
///
/// A statement that fails ends the scope: what the scope did is undone, and further statements in it fail with the code
/// `aborted`. If `work` returns `Ok` after that, the error is `aborted` as well.
pub fn scope<T, E: From<Error>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    host::begin_scope()?;
    match work() {
        Ok(value) => {
            host::end_scope(true)?;
            Ok(value)
        }
        Err(error) => {
            // The first error says what went wrong. If undoing fails as well, the call's next statement says so.
            host::end_scope(false).ok();
            Err(error)
        }
    }
}

/// Ends the transaction here, before slow work outside the database. What was committed stays, even if the call fails. In
/// an open scope it is an error.
pub fn commit() -> Result<(), Error> {
    host::commit()
}

/// The tables, views and columns of the granted schemas (or of `schema` alone) that the caller's role may use.
pub fn describe(schema: Option<&str>) -> Result<serde_json::Value, crate::Error> {
    let described = host::describe(schema)?;
    serde_json::from_str(&described)
        .map_err(|error| crate::Error::failed(format!("The description of the database is not JSON: {error}")))
}

/// A parameter for a json or jsonb column, of anything that can be written as JSON.
pub fn json(value: &impl Serialize) -> Result<Value, crate::Error> {
    serde_json::to_string(value)
        .map(|text| if text == "null" { Value::Null } else { Value::Text(text) })
        .map_err(|error| crate::Error::failed(format!("A value cannot be written as JSON: {error}")))
}

/// A parameter for a json or jsonb column, whatever the JSON value is.
pub fn json_parameter(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        value => Value::Text(value.to_string()),
    }
}

fn whole(rows: RowSet) -> Result<RowSet, crate::Error> {
    if rows.truncated {
        let count = rows.rows.len();
        return Err(crate::Error::failed(format!(
            "The answer is longer than the {count} rows that the host lets through."
        )));
    }
    Ok(rows)
}

fn at_most_one(rows: &RowSet) -> Result<(), crate::Error> {
    match rows.rows.len() {
        0 | 1 => Ok(()),
        count => Err(crate::Error::failed(format!("One row was to be found, and there are {count}."))),
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::string::String;

    use serde_json::json;

    use super::*;
    use crate::mock::Host;
    use crate::params;

    fn failure<T: core::fmt::Debug>(result: Result<T, crate::Error>) -> String {
        result.expect_err("an error").message
    }

    #[test]
    fn one_row_is_one_row() {
        let host = Host::new();
        host.answer("none", json!([]));
        host.answer("one", json!([{"n": 1}]));
        host.answer("two", json!([{"n": 1}, {"n": 2}]));
        assert_eq!(query_one::<(u8,)>("one", &[]), Ok((1,)));
        assert!(failure(query_one::<(u8,)>("none", &[])).contains("none"));
        assert!(failure(query_one::<(u8,)>("two", &[])).contains('2'));
        assert_eq!(query_optional::<(u8,)>("none", &[]), Ok(None));
        assert!(failure(query_optional::<(u8,)>("two", &[])).contains('2'));
        assert_eq!(query_scalar::<u8>("one", &[]), Ok(1));
        assert!(failure(query_scalar::<u8>("none", &[])).contains("none"));
    }

    #[test]
    fn an_answer_cut_short_is_not_taken_for_the_whole() {
        let host = Host::new();
        let column = Column { name: "n".to_owned(), type_name: "int4".to_owned() };
        let rows = Vec::from([Vec::from([Value::Integer(1)])]);
        host.answer("n", RowSet { columns: Vec::from([column]), rows, truncated: true });
        assert!(failure(query_as::<(u8,)>("n", &[])).contains("longer than the 1 rows"));
        assert!(failure(query_scalar::<u8>("n", &[])).contains("longer"));
        assert_eq!(query("n", &[]).expect("rows").decode::<(u8,)>(), Ok(Vec::from([(1,)])));
    }

    #[test]
    fn a_scope_keeps_what_succeeds_and_undoes_what_fails() {
        let host = Host::new();
        host.answer("delete", 1);
        host.fail("insert", "constraint", "There is one already.");
        assert_eq!(scope(|| execute("delete", &[])), Ok(1));
        assert_eq!(scope(|| execute("insert", &[])).map_err(|error| error.code), Err("constraint".to_owned()));
        assert_eq!(host.scopes(), [true, false]);
        let hidden = scope(|| {
            execute("insert", &[]).expect_err("an error");
            Ok::<_, Error>(execute("delete", &[]).map_err(|error| error.code))
        });
        assert_eq!(hidden.map_err(|error| error.code), Err("aborted".to_owned()));
        assert_eq!(host.scopes(), [true, false, false]);
        assert_eq!(execute("delete", &[]), Ok(1), "the call goes on");
    }

    #[test]
    fn scopes_are_inside_each_other() {
        fn nested(depth: u8) -> Result<u8, Error> {
            if depth == 0 { Ok(0) } else { scope(|| nested(depth - 1)).map(|inside| inside + 1) }
        }
        let host = Host::new();
        assert_eq!(nested(8), Ok(8));
        assert_eq!(nested(9).map_err(|error| error.code), Err("limit".to_owned()));
        let committed = scope(|| -> Result<_, crate::Error> {
            let inner = scope(|| Err::<(), _>(crate::Error::failed("No."))).map_err(|error| error.message);
            Ok((inner, commit().map_err(|error| error.code)))
        });
        assert_eq!(committed, Ok((Err("No.".to_owned()), Err("invalid".to_owned()))));
        assert_eq!(host.commits(), 0);
    }

    #[test]
    fn json_of_any_type_is_a_parameter() {
        let host = Host::new();
        host.answer("insert", 1);
        let tags = ["a", "b"];
        execute("insert", params![json(&tags).expect("JSON"), json(&None::<u8>).expect("JSON")]).expect("one row");
        assert_eq!(host.statements()[0].params, [Value::Text(r#"["a","b"]"#.to_owned()), Value::Null]);
    }
}
