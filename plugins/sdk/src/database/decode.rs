//! Rows as types.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use serde::Deserializer;
use serde::de::value::{BorrowedStrDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::json::{distinct_names, hex, is_json};
use super::{Column, RowSet, Value};
use crate::Error;

impl RowSet {
    /// Reads each row into a `T`: a struct by column name, a tuple by position.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        let names = distinct_names(&self.columns);
        let mut rows = Vec::with_capacity(self.rows.len());
        for (index, values) in self.rows.iter().enumerate() {
            let row = Row { names: &names, columns: &self.columns, values };
            rows.push(T::deserialize(row).map_err(|mismatch| mismatch.in_row(index))?);
        }
        Ok(rows)
    }

    /// The first column of the first row.
    pub(super) fn decode_scalar<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let first = self.rows.first().and_then(|values| self.columns.first().zip(values.first()));
        let (column, value) = first.ok_or_else(|| Error::failed("One row was to be found, and there is none."))?;
        T::deserialize(Cell { column, value }).map_err(|mismatch| mismatch.in_row(0))
    }
}

/// A row that is not what the tool's author took it for.
#[derive(Debug)]
struct Mismatch(String);

impl Mismatch {
    fn in_row(self, index: usize) -> Error {
        Error::failed(format!("The database's answer is not what was expected, in row {}: {}", index + 1, self.0))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Mismatch {}

impl serde::de::Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    // In the words of a database, and without serde's own, which bring the printing of floats along: 15 KB.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("{} where {expected} was expected", Found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Unit | Unexpected::Option => f.write_str("NULL"),
            Unexpected::Bool(value) => write!(f, "{value}"),
            Unexpected::Signed(value) => write!(f, "{value}"),
            Unexpected::Unsigned(value) => write!(f, "{value}"),
            Unexpected::Float(_) => f.write_str("a number with a fraction"),
            Unexpected::Str(_) | Unexpected::Char(_) => f.write_str("text"),
            Unexpected::Bytes(_) => f.write_str("bytes"),
            Unexpected::Seq => f.write_str("an array"),
            Unexpected::Map => f.write_str("an object"),
            _ => f.write_str("something else"),
        }
    }
}

#[derive(Clone, Copy)]
struct Row<'de> {
    names: &'de [String],
    columns: &'de [Column],
    values: &'de [Value],
}

impl<'de> Deserializer<'de> for Row<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Cells { row: self, next: 0 })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_seq(Cells { row: self, next: 0 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        if len != self.values.len() {
            return Err(Mismatch(format!("{len} columns were expected and {} are there", self.values.len())));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct map struct
        enum identifier ignored_any
    }
}

/// The cells of a row that have not been read yet.
struct Cells<'de> {
    row: Row<'de>,
    next: usize,
}

impl<'de> Cells<'de> {
    fn cell(&self) -> Option<Cell<'de>> {
        Some(Cell { column: self.row.columns.get(self.next)?, value: self.row.values.get(self.next)? })
    }

    fn read<S: DeserializeSeed<'de>>(&mut self, cell: Cell<'de>, seed: S) -> Result<S::Value, Mismatch> {
        let name = self.row.names.get(self.next).map_or("?", String::as_str);
        self.next += 1;
        seed.deserialize(cell).map_err(|mismatch| Mismatch(format!("column \"{name}\": {mismatch}")))
    }
}

impl<'de> MapAccess<'de> for Cells<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        let name = self.row.names.get(self.next).filter(|_| self.cell().is_some());
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let cell = self.cell().ok_or_else(|| Mismatch::custom("a row is shorter than its columns"))?;
        self.read(cell, seed)
    }
}

impl<'de> SeqAccess<'de> for Cells<'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        self.cell().map(|cell| self.read(cell, seed)).transpose()
    }
}

#[derive(Clone, Copy)]
struct Cell<'de> {
    column: &'de Column,
    value: &'de Value,
}

impl<'de> Cell<'de> {
    /// The text, where it is JSON.
    fn json(self) -> Option<&'de str> {
        match self.value {
            Value::Text(text) if is_json(&self.column.type_name) => Some(text),
            _ => None,
        }
    }

    /// A numeric arrives as text, so that no digit is lost; who asks for a number gets the nearest one.
    fn numeric<T: core::str::FromStr>(self) -> Option<T> {
        match self.value {
            Value::Text(text) if self.column.type_name == "numeric" => text.parse().ok(),
            _ => None,
        }
    }
}

/// Numbers, which a numeric may be as well.
macro_rules! as_number {
    ($($method:ident $visit:ident $number:ty,)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
                match self.numeric::<$number>() {
                    Some(number) => visitor.$visit(number),
                    None => self.deserialize_any(visitor),
                }
            }
        )+
    };
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => match self.json() {
                Some(json) => {
                    serde_json::Deserializer::from_str(json).deserialize_any(visitor).map_err(Mismatch::custom)
                }
                None => visitor.visit_borrowed_str(text),
            },
            // As JSON would have it; who asks for bytes gets them below.
            Value::Bytes(bytes) => visitor.visit_string(hex(bytes)),
            Value::Vector(numbers) => visitor.visit_seq(SeqDeserializer::new(numbers.iter().copied())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match (self.value, self.json()) {
            (Value::Null, _) | (_, Some("null")) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Bytes(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match (self.json(), self.value) {
            (Some(text), _) => serde_json::Deserializer::from_str(text)
                .deserialize_enum(name, variants, visitor)
                .map_err(Mismatch::custom),
            (None, Value::Text(text)) => visitor.visit_enum(StrDeserializer::new(text)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    as_number! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
    }

    forward_to_deserialize_any! { bool i128 u128 char str string unit unit_struct map struct identifier }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::vec;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    fn rows(cells: Vec<(&str, &str, Value)>) -> RowSet {
        let (columns, row) = cells
            .into_iter()
            .map(|(name, type_name, value)| (Column { name: name.to_owned(), type_name: type_name.to_owned() }, value))
            .unzip();
        RowSet { columns, rows: vec![row], truncated: false }
    }

    fn scalar<T: DeserializeOwned>(type_name: &str, value: Value) -> Result<T, Error> {
        rows(vec![("a", type_name, value)]).decode_scalar()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Note {
        id: u32,
        title: String,
        done: Option<bool>,
        tags: Vec<String>,
        meta: Meta,
        #[serde(default)]
        absent: u8,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Meta {
        size: u8,
    }

    #[test]
    fn a_struct_is_read_by_column_name() {
        let rows = rows(vec![
            ("title", "text", text("Garden")),
            ("id", "int4", Value::Integer(7)),
            ("unknown", "bytea", Value::Bytes(vec![1])),
            ("done", "bool", Value::Null),
            ("tags", "_text", text(r#"["a"]"#)),
            ("meta", "jsonb", text(r#"{"size": 3}"#)),
        ]);
        let meta = Meta { size: 3 };
        let tags = vec!["a".to_owned()];
        assert_eq!(rows.decode(), Ok(vec![Note { id: 7, title: "Garden".into(), done: None, tags, meta, absent: 0 }]));
    }

    #[test]
    fn a_tuple_is_read_by_position() {
        let rows = rows(vec![("b", "text", text("x")), ("a", "int8", Value::Integer(1))]);
        assert_eq!(rows.decode(), Ok(vec![("x".to_owned(), 1_i64)]));
        let error = rows.decode::<(String,)>().expect_err("an error");
        assert!(error.message.contains("1 columns were expected and 2 are there"), "{error:?}");
    }

    #[test]
    fn any_json_value_is_read_like_the_rows_json() {
        let rows = rows(vec![("a", "int4", Value::Integer(1)), ("b", "jsonb", text("[1]")), ("a", "text", text("x"))]);
        assert_eq!(rows.decode(), Ok(vec![json!({"a": 1, "b": [1], "a_2": "x"})]));
    }

    #[test]
    fn a_mismatch_says_where() {
        let rows = rows(vec![("id", "int4", Value::Null), ("title", "text", text("x"))]);
        let error = rows.decode::<Note>().expect_err("an error");
        assert!(error.message.contains("row 1: column \"id\": NULL where u32 was expected"), "{error:?}");
        assert_eq!(error.code, "failed");
    }

    #[test]
    fn a_numeric_is_read_as_text_or_as_a_number() {
        assert_eq!(scalar("numeric", text("12.50")), Ok("12.50".to_owned()));
        assert_eq!(scalar("numeric", text("12.50")), Ok(12.5_f64));
        assert_eq!(scalar("numeric", text("12")), Ok(12_i64));
        assert_eq!(scalar("numeric", text("12")), Ok(Some(12_u8)));
        assert!(scalar::<i64>("numeric", text("12.50")).is_err());
        assert!(scalar::<i64>("text", text("12")).is_err());
    }

    #[test]
    fn bytes_vectors_and_odd_floats_are_read_whole() {
        assert_eq!(scalar("bytea", Value::Bytes(vec![0, 255])), Ok(vec![0_u8, 255]));
        assert_eq!(scalar("bytea", Value::Bytes(vec![0, 255])), Ok("\\x00ff".to_owned()));
        assert_eq!(scalar("vector", Value::Vector(vec![0.5])), Ok(vec![0.5_f32]));
        assert!(scalar::<f64>("float8", Value::Float(f64::NAN)).is_ok_and(f64::is_nan));
    }

    #[test]
    fn an_enum_is_read_from_its_name() {
        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(rename_all = "lowercase")]
        enum State {
            Open,
            Closed,
        }
        assert_eq!(scalar("text", text("closed")), Ok(State::Closed));
        assert_eq!(scalar("jsonb", text(r#""open""#)), Ok(State::Open));
        assert!(scalar::<State>("text", text("ajar")).is_err());
    }

    #[test]
    fn null_is_absent_in_sql_and_in_json() {
        assert_eq!(scalar("int4", Value::Null), Ok(None::<i32>));
        assert_eq!(scalar("jsonb", text("null")), Ok(None::<Meta>));
        assert_eq!(scalar("jsonb", text(r#"{"size": 1}"#)), Ok(Some(Meta { size: 1 })));
    }
}
