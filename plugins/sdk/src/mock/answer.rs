//! What a mocked statement is answered.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde_json::Value as Json;

use super::state::fail;
use crate::bindings::behalf::tool::database::{Column, Error, RowSet, Value};

/// What a statement is answered: made of rows as JSON, a [`RowSet`], a number of rows, or an [`Error`].
#[derive(Clone, Debug)]
pub struct Answer(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Rows(RowSet),
    Changed(u64),
    Failed(Error),
}

impl Answer {
    /// What `query` says.
    pub(super) fn into_rows(self, sql: &str) -> Result<RowSet, Error> {
        match self.0 {
            Kind::Rows(rows) => Ok(rows),
            Kind::Failed(error) => Err(error),
            Kind::Changed(count) => fail(&format!(
                "The tool queried, and the test's answer is a number ({count}) where rows are wanted, json!([…]):\n\n{sql}"
            )),
        }
    }

    /// What `execute` says.
    pub(super) fn into_count(self, sql: &str) -> Result<u64, Error> {
        match self.0 {
            Kind::Changed(count) => Ok(count),
            Kind::Failed(error) => Err(error),
            Kind::Rows(_) => fail(&format!(
                "The tool executed, and the test's answer is rows where the number of rows that were changed is wanted:\n\n{sql}"
            )),
        }
    }
}

impl From<RowSet> for Answer {
    fn from(rows: RowSet) -> Self {
        Self(Kind::Rows(rows))
    }
}

impl From<u64> for Answer {
    fn from(changed: u64) -> Self {
        Self(Kind::Changed(changed))
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self(Kind::Failed(error))
    }
}

/// An array of rows: objects, or arrays where only the columns' order matters. Of a JSON value the column's type is
/// guessed: `bool`, `int8`, `float8`, `text`, and `jsonb` for arrays and objects. What is not an array is a number of
/// rows.
impl From<Json> for Answer {
    fn from(rows: Json) -> Self {
        match rows {
            Json::Array(rows) => rows_of(&rows).into(),
            other => match other.as_u64() {
                Some(changed) => changed.into(),
                None => fail(&format!("an answer is an array of rows, and this is {other}")),
            },
        }
    }
}

fn rows_of(rows: &[Json]) -> RowSet {
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        match row {
            Json::Object(cells) => {
                for name in cells.keys().filter(|name| !names.contains(name)).collect::<Vec<_>>() {
                    names.push(name.clone());
                }
            }
            Json::Array(cells) => {
                for index in names.len()..cells.len() {
                    names.push(format!("column{}", index + 1));
                }
            }
            other => fail(&format!("a row is an object or an array, and this is {other}")),
        }
    }
    let cell = |row: &Json, index: usize, name: &str| match row {
        Json::Array(cells) => cells.get(index).cloned(),
        row => row.get(name).cloned(),
    };
    let columns = names.iter().enumerate().map(|(index, name)| {
        let type_name = rows.iter().find_map(|row| type_name(&cell(row, index, name)?));
        Column { name: name.clone(), type_name: type_name.unwrap_or("text").to_owned() }
    });
    let values = |row: &Json| {
        let cells = names.iter().enumerate().map(|(index, name)| cell(row, index, name).unwrap_or_default());
        cells.map(|cell| value(&cell)).collect()
    };
    RowSet { columns: columns.collect(), rows: rows.iter().map(values).collect(), truncated: false }
}

fn type_name(cell: &Json) -> Option<&'static str> {
    match cell {
        Json::Null => None,
        Json::Bool(_) => Some("bool"),
        Json::Number(number) if number.is_f64() => Some("float8"),
        Json::Number(_) => Some("int8"),
        Json::String(_) => Some("text"),
        Json::Array(_) | Json::Object(_) => Some("jsonb"),
    }
}

fn value(cell: &Json) -> Value {
    match cell {
        Json::Array(_) | Json::Object(_) => Value::Text(cell.to_string()),
        cell => Value::from(cell),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_of_json_come_back_as_they_were() {
        let rows = json!([
            {"a": 1, "b": null, "c": "x", "d": [1, {"e": 2}], "f": 0.5, "g": true},
            {"a": 2, "b": {"k": []}, "c": "[1]", "d": [], "f": 1.5, "g": null},
        ]);
        let answer = Answer::from(rows.clone()).into_rows("").expect("rows");
        assert_eq!(serde_json::to_value(answer).expect("JSON"), rows);
    }

    #[test]
    fn what_a_row_lacks_is_null() {
        let answer = Answer::from(json!([{"a": 1}, {"b": 2}])).into_rows("").expect("rows");
        assert_eq!(serde_json::to_value(answer).expect("JSON"), json!([{"a": 1, "b": null}, {"a": null, "b": 2}]));
    }
}
