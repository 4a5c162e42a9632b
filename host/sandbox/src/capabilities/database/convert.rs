//! Converts between the values of `behalf:tool/database` and those of the caller's database.

use behalf_caller_db as db;

use crate::bindings::behalf::tool::database::{Column, Error, RowSet, Value};

/// Parameters of one statement; the protocol counts them in 16 bits.
const MAX_PARAMS: usize = 65_535;

pub(super) fn parameters(params: Vec<Value>) -> Result<Vec<db::Value>, Error> {
    if params.len() > MAX_PARAMS {
        return Err(Error {
            code: "limit".to_owned(),
            sqlstate: None,
            message: format!("a statement takes {MAX_PARAMS} parameters; pass lists as one array"),
            retryable: false,
        });
    }
    Ok(params
        .into_iter()
        .map(|value| match value {
            Value::Null => db::Value::Null,
            Value::Boolean(value) => db::Value::Bool(value),
            Value::Integer(value) => db::Value::Int(value),
            Value::Float(value) => db::Value::Float(value),
            Value::Text(value) => db::Value::Text(value),
            Value::Bytes(value) => db::Value::Bytes(value),
            Value::Vector(value) => db::Value::Vector(value),
        })
        .collect())
}

/// Bytes of a parameter.
pub(super) fn value_bytes(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => 0,
            Value::Text(value) => value.len(),
            Value::Bytes(value) => value.len(),
            Value::Vector(value) => size_of_val(value.as_slice()),
        }
}

pub(super) fn row_set(rows: db::RowSet) -> RowSet {
    let value = |value| match value {
        db::Value::Null => Value::Null,
        db::Value::Bool(value) => Value::Boolean(value),
        db::Value::Int(value) => Value::Integer(value),
        db::Value::Float(value) => Value::Float(value),
        db::Value::Text(value) => Value::Text(value),
        db::Value::Bytes(value) => Value::Bytes(value),
        db::Value::Vector(value) => Value::Vector(value),
    };
    RowSet {
        columns: rows.columns.into_iter().map(|(name, type_name)| Column { name, type_name }).collect(),
        rows: rows.rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect(),
        truncated: rows.truncated,
    }
}

pub(super) fn convert_error(error: db::StatementError) -> Error {
    let message = error.message.for_caller().to_owned();
    Error { code: error.code.to_owned(), sqlstate: error.sqlstate, message, retryable: error.retryable }
}
