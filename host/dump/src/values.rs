//! The values of a row by the names of their columns, each read as what it should be.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::dump::{Block, Row};
use super::fault::Fault;

/// The values of a row.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    columns: &'a [String],
    row: &'a Row,
}

impl<'a> Values<'a> {
    /// Those of a row of the block.
    pub fn of<T>(block: &'a Block<T>, row: &'a Row) -> Self {
        Self { columns: &block.columns, row }
    }

    /// Whether the block has such a column.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    /// A text; none where it is null, or no column has the name.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let place = self.columns.iter().position(|column| column == name)?;
        self.row.values.get(place)?.as_deref()
    }

    /// A text that has to be there.
    pub fn needed(&self, name: &'static str) -> Result<&'a str, Fault> {
        self.text(name).ok_or(Fault::Missing(name))
    }

    /// A UUID that has to be there.
    pub fn id(&self, name: &'static str) -> Result<Uuid, Fault> {
        Uuid::try_parse(self.needed(name)?).map_err(|_| Fault::Value(name, "a uuid"))
    }

    /// A boolean; false where it is null.
    pub fn flag(&self, name: &'static str) -> Result<bool, Fault> {
        match self.text(name) {
            None | Some("f" | "false") => Ok(false),
            Some("t" | "true") => Ok(true),
            Some(_) => Err(Fault::Value(name, "t or f")),
        }
    }

    /// A whole number.
    pub fn number(&self, name: &'static str) -> Result<Option<i64>, Fault> {
        self.text(name).map(|text| text.parse().map_err(|_| Fault::Value(name, "a whole number"))).transpose()
    }

    /// A time.
    pub fn time(&self, name: &'static str) -> Result<Option<DateTime<Utc>>, Fault> {
        self.text(name)
            .map(|text| read_time(text).ok_or(Fault::Value(name, "a time such as 2026-01-31 12:00:00+00")))
            .transpose()
    }

    /// A JSON object as text: a parser would round long numbers.
    pub fn object(&self, name: &'static str) -> Result<Option<&'a str>, Fault> {
        let Some(text) = self.text(name).filter(|text| *text != "null") else { return Ok(None) };
        serde_json::from_str::<Map<String, Value>>(text).map_err(|_| Fault::Value(name, "a JSON object"))?;
        // A database holds no such text.
        if text.contains("\\u0000") {
            return Err(Fault::Value(name, "JSON without the NUL character"));
        }
        Ok(Some(text))
    }
}

/// A time as Postgres writes it.
fn read_time(text: &str) -> Option<DateTime<Utc>> {
    if text == "infinity" {
        // The last moment that clients can read.
        return DateTime::parse_from_rfc3339("9999-12-31T23:59:59Z").ok().map(|time| time.to_utc());
    }
    let text = text.replacen(' ', "T", 1);
    DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%#z").ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_postgres_writes_them() {
        for (text, seconds) in [
            ("1970-01-01 00:00:10+00", 10),
            ("1970-01-01 00:00:10.5+00", 10),
            ("1970-01-01 05:30:10+05:30", 10),
            ("1969-12-31 16:00:10-08", 10),
        ] {
            assert_eq!(read_time(text).map(|time| time.timestamp()), Some(seconds), "{text}");
        }
        assert!(read_time("infinity").is_some());
        for bad in ["", "now", "2024-01-01", "2024-13-01 00:00:00+00", "-infinity", "0044-03-15 00:00:00+00 BC"] {
            assert_eq!(read_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_value_that_is_not_of_its_kind_names_its_column() {
        let block = Block { table: (), columns: ["a", "b", "c", "d"].map(str::to_owned).to_vec() };
        let row =
            Row { line: 1, values: vec![Some("x".to_owned()), Some("12".to_owned()), None, Some("[1]".to_owned())] };
        let values = Values::of(&block, &row);
        assert_eq!((values.text("a"), values.text("c"), values.text("e")), (Some("x"), None, None));
        assert!(values.has("c") && !values.has("e"));
        assert_eq!(values.number("b").ok(), Some(Some(12)));
        assert!(values.number("a").is_err_and(|fault| fault.to_string() == "a is not a whole number"));
        assert!(values.id("a").is_err() && values.flag("a").is_err() && values.object("d").is_err());
        assert!(values.needed("c").is_err_and(|fault| fault.to_string() == "c is missing"));
    }
}
