//! The one place where text of SQL is put together.

use crate::cache::{Expression, Hook, Ident, Name, Type};
use crate::error::RestError;
use crate::tree::{Alias, Label};

/// As many parameters as the protocol of Postgres can number.
const MAX_PARAMETERS: usize = 65_535;
/// A condition on an embedded resource has all conditions of that resource in it, so a short request could make a text without
/// end.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// The values of conditions are written as often as the conditions are.
const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;
/// How often relations are read; each costs Postgres more to plan than the one before it.
const MAX_RELATIONS: usize = 500;

/// A statement that only this crate can make: its text, and its parameters in text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    text: String,
    params: Vec<Option<Vec<u8>>>,
    calls: bool,
}

impl Statement {
    /// The SQL; it has no value of a request.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The values of `$1`, `$2`… in text format; their types are for the server to infer.
    pub fn params(&self) -> &[Option<Vec<u8>>] {
        &self.params
    }

    /// Whether it calls functions of the app that make or read what is shown.
    pub(crate) fn calls(&self) -> bool {
        self.calls
    }
}

/// SQL that is being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    text: String,
    params: Vec<Option<Vec<u8>>>,
    value_bytes: usize,
    relations: usize,
    /// The bytes that the text may have besides [`MAX_TEXT_BYTES`].
    room: usize,
    calls: bool,
    full: bool,
}

/// The alias of a level: a letter and a number, which no client chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub(crate) char, pub(crate) u16);

impl Sql {
    pub(crate) fn new() -> Self {
        Self { text: String::with_capacity(512), ..Self::default() }
    }

    /// Whether a bound was passed. Nothing more is written then, and whoever repeats or nests things has to stop.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Ends the statement, which is refused.
    pub(crate) fn fill(&mut self) {
        self.full = true;
    }

    /// Allows more text, for the columns of a write: there are no more of them than its relation has.
    pub(crate) fn make_room(&mut self, bytes: usize) {
        self.room = self.room.saturating_add(bytes);
    }

    /// Counts a relation that is read.
    pub(crate) fn relation(&mut self) {
        self.relations += 1;
        self.full |= self.relations > MAX_RELATIONS;
    }

    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.write(text)
    }

    fn write(&mut self, text: &str) -> &mut Self {
        if !self.full {
            self.text.push_str(text);
            self.full = self.text.len() > MAX_TEXT_BYTES.saturating_add(self.room);
        }
        self
    }

    pub(crate) fn ident(&mut self, ident: &Ident) -> &mut Self {
        self.quote(ident.as_str())
    }

    pub(crate) fn name(&mut self, name: &Name) -> &mut Self {
        self.ident(&name.schema).push(".").ident(&name.name)
    }

    /// A function of the app that makes or reads what is shown, with the parenthesis before its argument.
    pub(crate) fn call(&mut self, function: &Name) -> &mut Self {
        self.calls = true;
        self.name(function).push("(")
    }

    pub(crate) fn kind(&mut self, kind: &Type) -> &mut Self {
        self.name(&kind.name)
    }

    pub(crate) fn alias(&mut self, alias: Alias<'_>) -> &mut Self {
        self.quote(alias.as_str())
    }

    pub(crate) fn label(&mut self, label: Label<'_, '_>) -> &mut Self {
        match label {
            Label::Catalogue(ident) => self.ident(ident),
            Label::Client(alias) => self.alias(alias),
            Label::Fixed(text) => self.quote(text),
        }
    }

    pub(crate) fn tag(&mut self, tag: Tag) -> &mut Self {
        self.write("\"").write(tag.0.encode_utf8(&mut [0; 4])).number(usize::from(tag.1)).write("\"")
    }

    /// A column of a level.
    pub(crate) fn column(&mut self, tag: Tag, column: &Ident) -> &mut Self {
        self.tag(tag).push(".").ident(column)
    }

    pub(crate) fn number(&mut self, number: usize) -> &mut Self {
        self.write(&number.to_string())
    }

    /// A default of a column, which Postgres wrote.
    pub(crate) fn expression(&mut self, expression: &Expression) -> &mut Self {
        self.write("(").write(expression.as_str()).write(")")
    }

    pub(crate) fn param(&mut self, value: impl Into<Vec<u8>>) -> &mut Self {
        self.nullable(Some(value.into()))
    }

    pub(crate) fn nullable(&mut self, value: Option<Vec<u8>>) -> &mut Self {
        if self.full {
            return self;
        }
        self.params.push(value);
        let place = self.params.len();
        self.full = place > MAX_PARAMETERS;
        self.write("$").number(place)
    }

    /// A value of a condition or a key of a path, which may be written many times.
    pub(crate) fn value(&mut self, value: impl Into<Vec<u8>>) -> &mut Self {
        let value = value.into();
        self.value_bytes = self.value_bytes.saturating_add(value.len());
        self.full |= self.value_bytes > MAX_VALUE_BYTES;
        self.nullable(Some(value))
    }

    /// Writes each item, with a separator between two, until the statement is full.
    pub(crate) fn list<T>(
        &mut self,
        separator: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (place, item) in items.into_iter().enumerate() {
            if self.full {
                break;
            }
            if place > 0 {
                self.push(separator);
            }
            write(self, item);
        }
        self
    }

    pub(crate) fn hook(&mut self, hook: &Hook) -> &mut Self {
        if let Some(schema) = &hook.0 {
            self.ident(schema).push(".");
        }
        self.ident(&hook.1)
    }

    pub(crate) fn finish(self) -> Result<Statement, RestError> {
        if self.full {
            return Err(RestError::too_large());
        }
        Ok(Statement { text: self.text, params: self.params, calls: self.calls })
    }

    /// The one function that quotes a name.
    fn quote(&mut self, name: &str) -> &mut Self {
        if self.full {
            return self;
        }
        self.text.push('"');
        for next in name.chars().filter(|next| *next != '\0') {
            if next == '"' {
                self.text.push('"');
            }
            self.text.push(next);
        }
        self.write("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::{Sql, Tag};
    use crate::tree::Alias;

    #[test]
    fn names_are_quoted_and_values_are_parameters() {
        let mut sql = Sql::new();
        sql.push("select ").param("x'; drop table y").push(" as ").alias(Alias::new("a\"b").unwrap());
        sql.push(" from ").tag(Tag('t', 1));
        let statement = sql.finish().unwrap();
        assert_eq!(statement.text(), r#"select $1 as "a""b" from "t1""#);
        assert_eq!(statement.params(), [Some(b"x'; drop table y".to_vec())]);
    }

    #[test]
    fn more_parameters_than_the_protocol_has_are_refused() {
        let mut sql = Sql::new();
        for _ in 0..65_536 {
            sql.param("x");
        }
        assert_eq!(sql.finish().unwrap_err().code, "54000");
    }

    #[test]
    fn a_full_statement_takes_no_more() {
        let mut sql = Sql::new();
        sql.list("", 0..1_000_000, |sql, _| _ = sql.push("a text of some length").param("x"));
        assert!(sql.is_full() && sql.text.len() < 300 * 1024 && sql.params.len() < 20_000);
        let mut sql = Sql::new();
        sql.list("", 0..1_000_000, |sql, _| _ = sql.value("x".repeat(100_000)));
        assert!(sql.is_full() && sql.params.len() < 100);
    }
}
