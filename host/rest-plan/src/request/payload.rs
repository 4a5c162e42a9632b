//! Bodies: which columns they have, and the JSON that goes to Postgres.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::syntax::Query;

/// A body that was read.
#[derive(Debug)]
pub(crate) struct Payload<'b> {
    pub(crate) json: Cow<'b, [u8]>,
    pub(crate) shape: Shape,
    pub(crate) keys: Vec<String>,
}

/// Whether the JSON is one object or an array of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
}

/// The message of PGRST102.
pub(crate) type Problem = &'static str;

const INVALID: Problem = "Empty or invalid json";
const UNEQUAL: Problem = "All object keys must match";
/// Without a line end, the header may have been cut short.
const CSV_ENDS: Problem = "The CSV ends before its first line does";

/// Reads JSON. With `columns`, which say what the keys are, Postgres alone reads it.
pub(crate) fn json<'b>(body: &'b [u8], columns: Option<&[String]>) -> Result<Payload<'b>, Problem> {
    if let Some(columns) = columns {
        let object = body.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(&b'{');
        let shape = if object { Shape::Object } else { Shape::Array };
        return Ok(Payload { json: Cow::Borrowed(body), shape, keys: sorted(columns.to_vec()) });
    }
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    Top(&mut found).deserialize(&mut reader).and_then(|()| reader.end()).map_err(|_| INVALID)?;
    if found.unequal {
        return Err(UNEQUAL);
    }
    let (json, shape) = match found.shape {
        Some(shape) => (Cow::Borrowed(body), shape),
        // What is neither an object nor an array is taken as no rows.
        None => (Cow::Borrowed(&b"[]"[..]), Shape::Array),
    };
    Ok(Payload { json, shape, keys: found.keys })
}

/// Reads CSV with a header; `NULL` is null, and the rest are strings, of which Postgres makes values.
pub(crate) fn csv(body: &[u8]) -> Result<Payload<'static>, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| "The CSV is not UTF-8")?;
    let mut records = Records(text);
    let header = records.next().ok_or(CSV_ENDS)??;
    if records.0.is_empty() && !text.ends_with(['\n', '\r']) {
        return Err(CSV_ENDS);
    }
    let mut rows = Vec::new();
    for record in records {
        let record = record?;
        if record.len() == 1 && record.first().is_some_and(String::is_empty) {
            continue;
        }
        if record.len() != header.len() {
            return Err("All lines must have same number of fields");
        }
        let cell = |value: String| if value == "NULL" { Value::Null } else { Value::String(value) };
        let row: Map<String, Value> = header.iter().cloned().zip(record.into_iter().map(cell)).collect();
        rows.push(Value::Object(row));
    }
    let keys = if rows.is_empty() { Vec::new() } else { sorted(header) };
    let json = Value::Array(rows).to_string().into_bytes();
    Ok(Payload { json: Cow::Owned(json), shape: Shape::Array, keys })
}

/// The names and values of a form.
pub(crate) fn form_pairs(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| "The form is not UTF-8")?;
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |part| crate::syntax::decode(part).map_err(|_| "The form is not UTF-8");
            Ok((decode(key)?, decode(value)?))
        })
        .collect()
}

/// Reads a form as one object of strings.
pub(crate) fn form(body: &[u8]) -> Result<Payload<'static>, Problem> {
    let object: Map<String, Value> =
        form_pairs(body)?.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
    let keys = object.keys().cloned().collect();
    Ok(Payload { json: Cow::Owned(Value::Object(object).to_string().into_bytes()), shape: Shape::Object, keys })
}

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys.dedup();
    keys
}

/// The parameter `columns` where it counts.
pub(crate) fn columns(query: &Query, counts: bool) -> Option<&[String]> {
    query.columns.as_deref().filter(|_| counts)
}

/// Records of RFC 4180.
struct Records<'t>(&'t str);

impl Iterator for Records<'_> {
    type Item = Result<Vec<String>, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut cells = Vec::new();
        loop {
            let cell = if let Some(rest) = self.0.strip_prefix('"') {
                let Some((cell, rest)) = quoted_cell(rest) else {
                    return Some(Err("A quoted field of the CSV has no end"));
                };
                self.0 = rest;
                cell
            } else {
                let end = self.0.find([',', '\n', '\r']).unwrap_or(self.0.len());
                let (cell, rest) = self.0.split_at(end);
                self.0 = rest;
                cell.to_owned()
            };
            cells.push(cell);
            if let Some(rest) = self.0.strip_prefix(',') {
                self.0 = rest;
                continue;
            }
            let line = self.0.strip_prefix('\r').unwrap_or(self.0);
            match line.strip_prefix('\n') {
                Some(rest) => self.0 = rest,
                None if line.is_empty() => self.0 = line,
                None if self.0.starts_with('\r') => self.0 = line,
                None => return Some(Err("A quoted field of the CSV goes on after its quote")),
            }
            return Some(Ok(cells));
        }
    }
}

fn quoted_cell(mut rest: &str) -> Option<(String, &str)> {
    let mut cell = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        cell.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return Some((cell, after)),
        }
    }
}

/// What the keys of a JSON text are; values are skipped without being kept.
#[derive(Default)]
struct Found {
    shape: Option<Shape>,
    keys: Vec<String>,
    unequal: bool,
}

struct Top<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.shape = Some(Shape::Object);
        self.0.keys = Keys.visit_map(map)?;
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.shape = Some(Shape::Array);
        let mut first = true;
        while let Some(keys) = seq.next_element_seed(Keys)? {
            if first {
                self.0.unequal = keys.iter().any(|key| key == NO_OBJECT);
                self.0.keys = keys;
                first = false;
            } else if keys != self.0.keys {
                self.0.unequal = true;
            }
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// The keys of one element of an array, sorted; an element that is no object gives a key that no object has.
struct Keys;

const NO_OBJECT: &str = "\0";

impl<'de> DeserializeSeed<'de> for Keys {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            keys.push(key);
        }
        Ok(sorted(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(vec![NO_OBJECT.to_owned()])
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(vec![NO_OBJECT.to_owned()])
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        self.visit_unit()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        self.visit_unit()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        self.visit_unit()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        self.visit_unit()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        self.visit_unit()
    }
}

#[cfg(test)]
mod tests {
    use super::{Shape, csv, form, json};

    #[test]
    fn json_keys_are_those_of_all_objects() {
        let one = json(br#" {"b": {"c": 1}, "a": [1]} "#, None).unwrap();
        assert_eq!((one.shape, one.keys), (Shape::Object, vec!["a".to_owned(), "b".to_owned()]));
        let many = json(br#"[{"a":1,"b":2},{"b":1,"a":2}]"#, None).unwrap();
        assert_eq!((many.shape, many.keys.len()), (Shape::Array, 2));
        assert_eq!(json(br#"[{"a":1},{"b":1}]"#, None).unwrap_err(), "All object keys must match");
        assert_eq!(json(br#"[{"a":1},5]"#, None).unwrap_err(), "All object keys must match");
        assert_eq!(json(b"[1]", None).unwrap_err(), "All object keys must match");
        assert_eq!(json(b"", None).unwrap_err(), "Empty or invalid json");
        assert_eq!(json(b"{} x", None).unwrap_err(), "Empty or invalid json");
        assert_eq!(json(b"\"text\"", None).unwrap().json.as_ref(), b"[]");
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert!(json(&deep, None).is_err());
    }

    #[test]
    fn csv_has_quotes_nulls_and_lines() {
        let read = csv(b"a,\"b\"\"c\"\r\n1,\"x,\ny\"\r\nNULL,\"NULL\"\n").unwrap();
        assert_eq!(String::from_utf8_lossy(&read.json), r#"[{"a":"1","b\"c":"x,\ny"},{"a":null,"b\"c":null}]"#);
        assert!(csv(b"a,b\n1\n").is_err());
        assert!(csv(b"a\n\"x").is_err());
        assert!(csv(b"").is_err() && csv(b"a,b").is_err());
        assert_eq!(csv(b"a,b\n").unwrap().json.as_ref(), b"[]");
    }

    #[test]
    fn forms_are_objects_of_strings() {
        assert_eq!(form(b"a=1&b=x%20y+z").unwrap().json.as_ref(), br#"{"a":"1","b":"x y z"}"#);
    }
}
