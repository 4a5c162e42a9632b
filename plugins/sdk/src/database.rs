//! The project's database, as the caller: row-level security decides which rows exist.
//!
//! # JSON and database values
//!
//! [`Value::from`] a JSON value makes a parameter, whose type the server infers from the statement:
//!
//! | JSON | parameter |
//! |---|---|
//! | null, boolean, number | NULL, boolean, integer (float where it has a fraction or is too large) |
//! | string | text, which serves for uuid, numeric, timestamptz, date and json as well |
//! | object | its JSON text, for json and jsonb |
//! | array | an array literal (`{1,2}`), for `= any($1)`; with an object in it, its JSON text |
//!
//! An array that is meant for a json column cannot be told from one that is meant for an array column: give the former
//! as a string, or use [`json_parameter`].
//!
//! A [`RowSet`] serializes as an array of objects, whose keys are the column names in the order of the select list; a name
//! that appears again gets `_2`, `_3` … appended. Booleans, integers and floats become JSON's, json and arrays become
//! what they say, a vector becomes an array of numbers, bytea becomes `\x…`, and everything else stays text: a numeric too,
//! so that no digit is lost.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::value::RawValue;

use crate::bindings::behalf::tool::database as raw;
pub use crate::bindings::behalf::tool::database::{Column, Error, RowSet, Value};

/// Postgres cuts longer names off without a word, and what is left may name something else.
const MAX_IDENTIFIER_BYTES: usize = 63;

/// One SELECT, VALUES or TABLE (or, where writing is granted, a data-changing statement with RETURNING), with $1, $2 …
pub fn query(sql: &str, params: &[Value]) -> Result<RowSet, Error> {
    raw::query(sql, params)
}

/// [`query`], with each row read into a `T` by column name.
pub fn query_as<T: DeserializeOwned>(sql: &str, params: &[Value]) -> Result<Vec<T>, crate::Error> {
    query(sql, params)?.decode()
}

/// One INSERT, UPDATE, DELETE or MERGE; returns the number of rows.
pub fn execute(sql: &str, params: &[Value]) -> Result<u64, Error> {
    raw::execute(sql, params)
}

/// Ends the transaction here, before slow work outside the database. What was committed stays, even if the call fails.
pub fn commit() -> Result<(), Error> {
    raw::commit()
}

/// The tables, views and columns of the granted schemas (or of `schema` alone) that the caller's role may use.
pub fn describe(schema: Option<&str>) -> Result<serde_json::Value, crate::Error> {
    let described = raw::describe(schema)?;
    serde_json::from_str(&described)
        .map_err(|error| crate::Error::failed(format!("The description of the database is not JSON: {error}")))
}

/// An identifier in double quotes, safe to put into a statement.
pub fn quote_identifier(name: &str) -> Result<String, crate::Error> {
    if name.is_empty() || name.contains('\0') {
        return Err(crate::Error::invalid_arguments("A name must not be empty or contain NUL."));
    }
    if name.len() > MAX_IDENTIFIER_BYTES {
        return Err(crate::Error::invalid_arguments(format!(
            "The name \"{name}\" is longer than {MAX_IDENTIFIER_BYTES} bytes."
        )));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `table` or `schema.table`, quoted.
pub fn quote_table(name: &str) -> Result<String, crate::Error> {
    match name.split_once('.') {
        Some((schema, table)) => Ok(format!("{}.{}", quote_identifier(schema)?, quote_identifier(table)?)),
        None => quote_identifier(name),
    }
}

/// A parameter for a json or jsonb column, whatever the JSON value is.
pub fn json_parameter(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        value => Value::Text(value.to_string()),
    }
}

impl RowSet {
    /// Reads each row into a `T` by column name.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Vec<T>, crate::Error> {
        serde_json::to_string(self)
            .and_then(|rows| serde_json::from_str(&rows))
            .map_err(|error| crate::Error::failed(format!("The database's answer is not what was expected: {error}")))
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let code = match error.code.as_str() {
            "refused" | "forbidden" | "not_granted" => "denied",
            "invalid" => "invalid_arguments",
            _ => "failed",
        };
        Self { code: code.to_owned(), message: error.message, retryable: error.retryable }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Boolean(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Self::Integer(value),
                // Beyond 64 bits with a sign; as text it may still be a numeric.
                (None, _) if number.is_u64() => Self::Text(number.to_string()),
                (None, Some(value)) => Self::Float(value),
                (None, None) => Self::Text(number.to_string()),
            },
            serde_json::Value::String(value) => Self::Text(value.clone()),
            serde_json::Value::Array(values) => Self::Text(array_literal(values).unwrap_or_else(|| value.to_string())),
            serde_json::Value::Object(_) => Self::Text(value.to_string()),
        }
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Postgres's text form of an array; none if the values cannot be one.
pub fn array_literal(values: &[serde_json::Value]) -> Option<String> {
    let mut literal = String::from("{");
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            literal.push(',');
        }
        match value {
            serde_json::Value::Null => literal.push_str("NULL"),
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
                literal.push_str(&value.to_string());
            }
            serde_json::Value::String(text) => push_quoted_element(&mut literal, text),
            serde_json::Value::Array(inner) => literal.push_str(&array_literal(inner)?),
            serde_json::Value::Object(_) => return None,
        }
    }
    literal.push('}');
    Some(literal)
}

/// Always quoted, so that an element that says NULL, is empty or holds a comma stays what it is.
fn push_quoted_element(literal: &mut String, text: &str) {
    literal.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal.push('"');
}

impl Serialize for RowSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = distinct_names(&self.columns);
        let mut rows = serializer.serialize_seq(Some(self.rows.len()))?;
        for values in &self.rows {
            rows.serialize_element(&Row { names: &names, columns: &self.columns, values })?;
        }
        rows.end()
    }
}

/// A JSON object holds a name once; `select a.id, b.id` has it twice.
fn distinct_names(columns: &[Column]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(columns.len());
    for column in columns {
        let mut name = column.name.clone();
        let mut count = 2;
        while names.contains(&name) {
            name = format!("{}_{count}", column.name);
            count += 1;
        }
        names.push(name);
    }
    names
}

struct Row<'a> {
    names: &'a [String],
    columns: &'a [Column],
    values: &'a [Value],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(Some(self.values.len()))?;
        for ((name, column), value) in self.names.iter().zip(self.columns).zip(self.values) {
            row.serialize_entry(name, &Cell { type_name: &column.type_name, value })?;
        }
        row.end()
    }
}

struct Cell<'a> {
    type_name: &'a str,
    value: &'a Value,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Null => serializer.serialize_none(),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Float(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::Float(value) if value.is_nan() => serializer.serialize_str("NaN"),
            Value::Float(value) if value.is_sign_positive() => serializer.serialize_str("Infinity"),
            Value::Float(_) => serializer.serialize_str("-Infinity"),
            Value::Text(text) => match json_text(self.type_name, text) {
                Some(json) => json.serialize(serializer),
                None => serializer.serialize_str(text),
            },
            Value::Bytes(bytes) => serializer.serialize_str(&hex(bytes)),
            Value::Vector(numbers) => numbers.serialize(serializer),
        }
    }
}

/// The text itself where its type says that it is JSON. What is not JSON after all is left to be a string.
fn json_text<'a>(type_name: &str, text: &'a str) -> Option<&'a RawValue> {
    if matches!(type_name, "json" | "jsonb") || type_name.starts_with('_') {
        serde_json::from_str(text).ok()
    } else {
        None
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use serde_json::json;

    use super::*;

    fn column(name: &str, type_name: &str) -> Column {
        Column { name: name.to_owned(), type_name: type_name.to_owned() }
    }

    fn as_json(columns: Vec<Column>, row: Vec<Value>) -> String {
        serde_json::to_string(&RowSet { columns, rows: vec![row], truncated: false }).expect("rows are JSON")
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quote_identifier("note").as_deref().ok(), Some("\"note\""));
        assert_eq!(quote_identifier(r#"a" or 1=1 --"#).as_deref().ok(), Some(r#""a"" or 1=1 --""#));
        assert_eq!(quote_table("public.notes").as_deref().ok(), Some("\"public\".\"notes\""));
        assert_eq!(quote_table("a.b.c").as_deref().ok(), Some("\"a\".\"b.c\""));
    }

    #[test]
    fn a_name_that_postgres_would_cut_is_refused() {
        assert!(quote_identifier(&"x".repeat(63)).is_ok());
        for name in ["", "a\0b", &"x".repeat(64), "."] {
            assert!(quote_table(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn json_becomes_parameters() {
        let cases = [
            (json!(null), Value::Null),
            (json!(true), Value::Boolean(true)),
            (json!(-7), Value::Integer(-7)),
            (json!(1.5), Value::Float(1.5)),
            (json!(u64::MAX), Value::Text("18446744073709551615".to_owned())),
            (json!("x"), Value::Text("x".to_owned())),
            (json!({"a": [1]}), Value::Text(r#"{"a":[1]}"#.to_owned())),
            (json!([1, null, "NULL", "a,\"b\"\\"]), Value::Text(r#"{1,NULL,"NULL","a,\"b\"\\"}"#.to_owned())),
            (json!([[1], [2]]), Value::Text("{{1},{2}}".to_owned())),
            (json!([]), Value::Text("{}".to_owned())),
            (json!([{"a": 1}]), Value::Text(r#"[{"a":1}]"#.to_owned())),
        ];
        for (json, expected) in cases {
            let value = Value::from(&json);
            assert_eq!(format!("{value:?}"), format!("{expected:?}"));
        }
    }

    #[test]
    fn rows_become_objects_in_the_order_of_the_select_list() {
        let columns = vec![column("z", "int4"), column("a", "numeric"), column("ok", "bool")];
        let row = vec![Value::Integer(1), Value::Text("12.50".to_owned()), Value::Boolean(false)];
        assert_eq!(as_json(columns, row), r#"[{"z":1,"a":"12.50","ok":false}]"#);
    }

    #[test]
    fn a_name_given_twice_is_told_apart() {
        let columns = vec![column("id", "int4"), column("id_2", "int4"), column("id", "int4")];
        let row = vec![Value::Integer(1), Value::Integer(2), Value::Integer(3)];
        assert_eq!(as_json(columns, row), r#"[{"id":1,"id_2":2,"id_3":3}]"#);
    }

    #[test]
    fn json_and_arrays_become_what_they_say() {
        let columns = vec![column("a", "jsonb"), column("b", "_text"), column("c", "text"), column("d", "jsonb")];
        let text = |text: &str| Value::Text(text.to_owned());
        let row = vec![text(r#"{"k": 1}"#), text(r#"["x"]"#), text("[1]"), text("not json")];
        assert_eq!(as_json(columns, row), r#"[{"a":{"k": 1},"b":["x"],"c":"[1]","d":"not json"}]"#);
    }

    #[test]
    fn what_json_has_no_word_for_becomes_text() {
        let columns = vec![column("a", "float8"), column("b", "bytea"), column("c", "vector"), column("d", "float8")];
        let row = vec![
            Value::Float(f64::NAN),
            Value::Bytes(vec![0, 255]),
            Value::Vector(vec![0.5, 1.0]),
            Value::Float(f64::NEG_INFINITY),
        ];
        assert_eq!(as_json(columns, row), r#"[{"a":"NaN","b":"\\x00ff","c":[0.5,1.0],"d":"-Infinity"}]"#);
    }

    #[test]
    fn a_refusal_is_a_denial() {
        for (code, expected) in [("refused", "denied"), ("invalid", "invalid_arguments"), ("something_new", "failed")] {
            let error = Error { code: code.to_owned(), sqlstate: None, message: "why".to_owned(), retryable: true };
            let error = crate::Error::from(error);
            assert_eq!((error.code.as_str(), error.message.as_str(), error.retryable), (expected, "why", true));
        }
    }
}
