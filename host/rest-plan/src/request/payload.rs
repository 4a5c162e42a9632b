//! Bodies: which columns they have, and the JSON that goes to Postgres.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
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

/// Why a body cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is not what it says it is.
    Invalid(&'static str),
    /// It has too much of something.
    TooLarge(&'static str),
}

const INVALID: Problem = Problem::Invalid("Empty or invalid json");
const UNEQUAL: Problem = Problem::Invalid("All object keys must match");
/// Without a line end, the header may have been cut short.
const CSV_ENDS: Problem = Problem::Invalid("The CSV ends before its first line does");
const CSV_UNEQUAL: Problem = Problem::Invalid("All lines must have same number of fields");
const TOO_MANY_KEYS: Problem = Problem::TooLarge("an object of the body may have 1664 different keys");
const TOO_MANY_CELLS: Problem = Problem::TooLarge("a line of the CSV may have 1664 fields");
const TOO_MANY_PAIRS: Problem = Problem::TooLarge("a form may have 65535 values");
const LONG_CELL: Problem = Problem::Invalid("A name in the first line of the CSV has more than 63 bytes");
const CSV_GROWS: Problem =
    Problem::TooLarge("the names of the columns make the CSV too long as JSON; send fewer rows at once, or JSON");

/// As many columns as a select list of Postgres can have.
const MAX_KEYS: usize = 1_664;
/// As many bytes as a name in Postgres has.
const MAX_NAME_BYTES: usize = 63;
const MAX_PAIRS: usize = 65_535;
/// Each row of JSON repeats the names of the columns, so a CSV could become many times as long: this many times, and
/// [`MORE_BYTES`].
const MAX_GROWTH: usize = 4;
const MORE_BYTES: usize = 4 * 1024 * 1024;

/// Reads JSON. With `columns`, which say what the keys are, Postgres alone reads it.
pub(crate) fn json<'b>(body: &'b [u8], columns: Option<&[String]>) -> Result<Payload<'b>, Problem> {
    if let Some(columns) = columns {
        let object = body.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(&b'{');
        let shape = if object { Shape::Object } else { Shape::Array };
        return Ok(Payload { json: Cow::Borrowed(body), shape, keys: sorted(columns.to_vec()) });
    }
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Top(&mut found).deserialize(&mut reader).and_then(|()| reader.end());
    if found.too_many.get() {
        return Err(TOO_MANY_KEYS);
    }
    read.map_err(|_| INVALID)?;
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
    let (header, records) = csv_header(body)?;
    let most = body.len().saturating_mul(MAX_GROWTH).saturating_add(MORE_BYTES);
    let mut json = b"[".to_vec();
    for record in records {
        let record = record?;
        if record.len() == 1 && record.first().is_some_and(|cell| cell.is_empty()) {
            continue;
        }
        if record.len() != header.len() {
            return Err(CSV_UNEQUAL);
        }
        if json.len() > 1 {
            json.push(b',');
        }
        for (place, (name, cell)) in header.iter().zip(&record).enumerate() {
            json.push(if place > 0 { b',' } else { b'{' });
            write_text(&mut json, name)?;
            json.push(b':');
            match cell.as_ref() {
                "NULL" => json.extend_from_slice(b"null"),
                cell => write_text(&mut json, cell)?,
            }
            if json.len() > most {
                return Err(CSV_GROWS);
            }
        }
        json.push(b'}');
    }
    let keys = if json.len() == 1 { Vec::new() } else { sorted(header) };
    json.push(b']');
    Ok(Payload { json: Cow::Owned(json), shape: Shape::Array, keys })
}

/// The names in the first line of a CSV, and the lines that follow.
fn csv_header(body: &[u8]) -> Result<(Vec<String>, Records<'_>), Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::Invalid("The CSV is not UTF-8"))?;
    let mut records = Records { rest: text, most: MAX_KEYS };
    let header = match records.next() {
        None => return Err(CSV_ENDS),
        Some(Err(problem)) if problem == CSV_UNEQUAL => return Err(TOO_MANY_CELLS),
        Some(header) => header?,
    };
    if records.rest.is_empty() && !text.ends_with(['\n', '\r']) {
        return Err(CSV_ENDS);
    }
    if header.iter().any(|cell| cell.len() > MAX_NAME_BYTES) {
        return Err(LONG_CELL);
    }
    records.most = header.len();
    Ok((header.into_iter().map(Cow::into_owned).collect(), records))
}

/// The names in the first line of a CSV, whose other lines are not read.
pub(crate) fn csv_keys(body: &[u8]) -> Result<Vec<String>, Problem> {
    csv_header(body).map(|(header, _)| sorted(header))
}

/// Writes a string of JSON.
fn write_text(json: &mut Vec<u8>, text: &str) -> Result<(), Problem> {
    serde_json::to_writer(json, text).map_err(|_| INVALID)
}

/// The names and values of a form.
pub(crate) fn form_pairs(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let mut keys = BTreeSet::new();
    let mut pairs = Vec::new();
    for pair in form_parts(body)? {
        let (key, value) = pair?;
        if !keys.contains(&key) {
            keys.insert(key.clone());
        }
        if keys.len() > MAX_KEYS {
            return Err(TOO_MANY_KEYS);
        }
        if pairs.len() >= MAX_PAIRS {
            return Err(TOO_MANY_PAIRS);
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Each name with its value, one after the other.
fn form_parts(body: &[u8]) -> Result<impl Iterator<Item = Result<(String, String), Problem>>, Problem> {
    const NO_TEXT: Problem = Problem::Invalid("The form is not UTF-8");
    let text = std::str::from_utf8(body).map_err(|_| NO_TEXT)?;
    Ok(text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |part| crate::syntax::decode(part).map_err(|_| NO_TEXT);
        Ok((decode(key)?, decode(value)?))
    }))
}

/// Reads a form as one object of strings.
pub(crate) fn form(body: &[u8]) -> Result<Payload<'static>, Problem> {
    let mut object = Map::new();
    for pair in form_parts(body)? {
        let (key, value) = pair?;
        object.insert(key, Value::String(value));
        if object.len() > MAX_KEYS {
            return Err(TOO_MANY_KEYS);
        }
    }
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
struct Records<'t> {
    rest: &'t str,
    /// How many fields a line may have.
    most: usize,
}

impl<'t> Iterator for Records<'t> {
    type Item = Result<Vec<Cow<'t, str>>, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut cells = Vec::new();
        loop {
            let cell = if let Some(rest) = self.rest.strip_prefix('"') {
                let Some((cell, rest)) = quoted_cell(rest) else {
                    return Some(Err(Problem::Invalid("A quoted field of the CSV has no end")));
                };
                self.rest = rest;
                Cow::Owned(cell)
            } else {
                let end = self.rest.find([',', '\n', '\r']).unwrap_or(self.rest.len());
                let (cell, rest) = self.rest.split_at(end);
                self.rest = rest;
                Cow::Borrowed(cell)
            };
            if cells.len() >= self.most {
                return Some(Err(CSV_UNEQUAL));
            }
            cells.push(cell);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let line = self.rest.strip_prefix('\r').unwrap_or(self.rest);
            match line.strip_prefix('\n') {
                Some(rest) => self.rest = rest,
                None if line.is_empty() => self.rest = line,
                None if self.rest.starts_with('\r') => self.rest = line,
                None => return Some(Err(Problem::Invalid("A quoted field of the CSV goes on after its quote"))),
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
    /// Whether an object has more than [`MAX_KEYS`]; the rest is not read then.
    too_many: Cell<bool>,
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
        self.0.keys = Keys(&self.0.too_many).visit_map(map)?;
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.shape = Some(Shape::Array);
        let mut first = true;
        while let Some(keys) = seq.next_element_seed(Keys(&self.0.too_many))? {
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
struct Keys<'f>(&'f Cell<bool>);

const NO_OBJECT: &str = "\0";

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            keys.insert(key);
            if keys.len() > MAX_KEYS {
                self.0.set(true);
                return Err(A::Error::custom("too many keys"));
            }
        }
        Ok(keys.into_iter().collect())
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
    use super::{CSV_GROWS, INVALID, LONG_CELL, Shape, TOO_MANY_CELLS, TOO_MANY_KEYS, TOO_MANY_PAIRS, UNEQUAL};
    use super::{csv, form, form_pairs, json};

    #[test]
    fn json_keys_are_those_of_all_objects() {
        let one = json(br#" {"b": {"c": 1}, "a": [1]} "#, None).unwrap();
        assert_eq!((one.shape, one.keys), (Shape::Object, vec!["a".to_owned(), "b".to_owned()]));
        let many = json(br#"[{"a":1,"b":2},{"b":1,"a":2}]"#, None).unwrap();
        assert_eq!((many.shape, many.keys.len()), (Shape::Array, 2));
        assert_eq!(json(br#"[{"a":1},{"b":1}]"#, None).unwrap_err(), UNEQUAL);
        assert_eq!(json(br#"[{"a":1},5]"#, None).unwrap_err(), UNEQUAL);
        assert_eq!(json(b"[1]", None).unwrap_err(), UNEQUAL);
        assert_eq!(json(b"", None).unwrap_err(), INVALID);
        assert_eq!(json(b"{} x", None).unwrap_err(), INVALID);
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

    #[test]
    fn bodies_do_not_multiply() {
        let names = |count: usize| (0..count).map(|place| format!("{place:063}")).collect::<Vec<_>>();
        let wide = format!("{}\n{}", names(1_664).join(","), ",".repeat(1_663)).into_bytes();
        assert_eq!(csv(&wide).unwrap().keys.len(), 1_664);
        let long = [wide, format!("\n{}", ",".repeat(1_663)).repeat(1_000).into_bytes()].concat();
        assert_eq!(csv(&long).unwrap_err(), CSV_GROWS);
        assert_eq!(csv((names(1_665).join(",") + "\n").as_bytes()).unwrap_err(), TOO_MANY_CELLS);
        assert_eq!(csv(format!("{:064}\n1\n", 0).as_bytes()).unwrap_err(), LONG_CELL);
        let object = |count| {
            format!("{{{}}}", names(count).iter().map(|name| format!("\"{name}\":1")).collect::<Vec<_>>().join(","))
        };
        assert_eq!(json(object(1_664).as_bytes(), None).unwrap().keys.len(), 1_664);
        assert_eq!(json(object(1_665).as_bytes(), None).unwrap_err(), TOO_MANY_KEYS);
        assert_eq!(json(format!("[{}", object(1_665)).as_bytes(), None).unwrap_err(), TOO_MANY_KEYS);
        let same = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(5_000));
        assert_eq!(json(same.as_bytes(), None).unwrap().keys, ["a"]);
        let pairs = names(1_665).join("&").into_bytes();
        assert_eq!(form(&pairs).unwrap_err(), TOO_MANY_KEYS);
        assert_eq!(form_pairs(&pairs).unwrap_err(), TOO_MANY_KEYS);
        assert_eq!(form_pairs(&b"a&".repeat(65_536)).unwrap_err(), TOO_MANY_PAIRS);
        assert_eq!(form(&b"a=1&".repeat(65_536)).unwrap().keys, ["a"]);
    }
}
