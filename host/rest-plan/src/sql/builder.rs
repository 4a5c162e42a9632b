//! The one place where text of SQL is put together.

use crate::cache::{Expression, Hook, Ident, Name, Type};
use crate::error::RestError;
use crate::tree::{Alias, Label};

/// As many parameters as the protocol of Postgres can number.
const MAX_PARAMETERS: usize = 65_535;

/// A statement that only this crate can make: its text, and its parameters in text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    text: String,
    params: Vec<Option<Vec<u8>>>,
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
}

/// SQL that is being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    text: String,
    params: Vec<Option<Vec<u8>>>,
}

/// The alias of a level: a letter and a number, which no client chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub(crate) char, pub(crate) u16);

impl Sql {
    pub(crate) fn new() -> Self {
        Self { text: String::with_capacity(512), params: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn ident(&mut self, ident: &Ident) -> &mut Self {
        self.quote(ident.as_str())
    }

    pub(crate) fn name(&mut self, name: &Name) -> &mut Self {
        self.ident(&name.schema).push(".").ident(&name.name)
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
        self.text.push('"');
        self.text.push(tag.0);
        self.number(usize::from(tag.1));
        self.text.push('"');
        self
    }

    /// A column of a level.
    pub(crate) fn column(&mut self, tag: Tag, column: &Ident) -> &mut Self {
        self.tag(tag).push(".").ident(column)
    }

    pub(crate) fn number(&mut self, number: usize) -> &mut Self {
        self.text.push_str(&number.to_string());
        self
    }

    /// A default of a column, which Postgres wrote.
    pub(crate) fn expression(&mut self, expression: &Expression) -> &mut Self {
        self.text.push('(');
        self.text.push_str(expression.as_str());
        self.text.push(')');
        self
    }

    pub(crate) fn param(&mut self, value: impl Into<Vec<u8>>) -> &mut Self {
        self.nullable(Some(value.into()))
    }

    pub(crate) fn nullable(&mut self, value: Option<Vec<u8>>) -> &mut Self {
        self.params.push(value);
        self.text.push('$');
        self.number(self.params.len())
    }

    /// Writes each item, with a separator between two.
    pub(crate) fn list<T>(
        &mut self,
        separator: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (place, item) in items.into_iter().enumerate() {
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
        if self.params.len() > MAX_PARAMETERS {
            return Err(RestError::too_many_parameters(self.params.len()));
        }
        Ok(Statement { text: self.text, params: self.params })
    }

    /// The one function that quotes a name.
    fn quote(&mut self, name: &str) -> &mut Self {
        self.text.push('"');
        for next in name.chars().filter(|next| *next != '\0') {
            if next == '"' {
                self.text.push('"');
            }
            self.text.push(next);
        }
        self.text.push('"');
        self
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
}
