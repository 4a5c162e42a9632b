//! Rows as JSON.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::value::RawValue;

use super::{Column, RowSet, Value};

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
pub(super) fn distinct_names(columns: &[Column]) -> Vec<String> {
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
    if is_json(type_name) { serde_json::from_str(text).ok() } else { None }
}

/// Whether a value of the type arrives as JSON.
pub(super) fn is_json(type_name: &str) -> bool {
    matches!(type_name, "json" | "jsonb") || type_name.starts_with('_')
}

/// As Postgres spells bytea.
pub(super) fn hex(bytes: &[u8]) -> String {
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
    use alloc::borrow::ToOwned as _;
    use alloc::vec;

    use super::*;

    fn column(name: &str, type_name: &str) -> Column {
        Column { name: name.to_owned(), type_name: type_name.to_owned() }
    }

    fn as_json(columns: Vec<Column>, row: Vec<Value>) -> String {
        serde_json::to_string(&RowSet { columns, rows: vec![row], truncated: false }).expect("rows are JSON")
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
}
