//! The statements: names of the catalogue, each quoted, and constants.

use super::table::{BaseType, VisibleColumn};

/// A statement of this door. Only this file makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VisibleText(String);

impl VisibleText {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How two values of a type are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `like`
    Like,
    /// `ilike`
    ILike,
    /// `~`
    Match,
    /// `~*`
    IMatch,
}

impl Comparison {
    fn operator(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Like => "~~",
            Self::ILike => "~~*",
            Self::Match => "~",
            Self::IMatch => "~*",
        }
    }

    /// Whether it compares texts with patterns.
    pub fn is_pattern(self) -> bool {
        matches!(self, Self::Like | Self::ILike | Self::Match | Self::IMatch)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn type_of(base: &BaseType) -> String {
    format!("{}.{}", quoted(&base.schema), quoted(&base.name))
}

/// An operator. Names of operators have no letters, and no quotes.
fn operator(schema: &str, name: &str) -> Option<String> {
    let is_plain = !name.is_empty() && name.chars().all(|one| "+-*/<>=~!@#%^&|`?".contains(one));
    is_plain.then(|| format!("operator({}.{name})", quoted(schema)))
}

/// The statement that finds rows by their keys: one array of texts for each column of the key. Its rows are numbers of keys, from 1.
/// None where there is no key. The limit makes the server look for each key by the index, however few rows it takes the table for: it would
/// read a whole table that it has not counted yet, for each caller.
pub(super) fn visible_text<'a>(
    (schema, table): (&str, &str),
    key: impl Iterator<Item = (&'a VisibleColumn, (&'a str, &'a str))>,
) -> Option<VisibleText> {
    let (mut sources, mut names, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    for (n, (column, (operators, equal))) in key.enumerate() {
        let n = n + 1;
        sources.push(format!("pg_catalog.unnest(${n}::pg_catalog.text[])"));
        names.push(format!("k{n}"));
        let (name, equals) = (quoted(&column.name), operator(operators, equal)?);
        conditions.push(format!("t.{name} {equals} u.k{n}::{}", type_of(&column.base)));
    }
    if sources.is_empty() {
        return None;
    }
    Some(VisibleText(format!(
        "select u.n::pg_catalog.text from rows from ({}) with ordinality u ({}, n) \
         cross join lateral (select from {}.{} t where {} limit 1) f",
        sources.join(", "),
        names.join(", "),
        quoted(schema),
        quoted(table),
        conditions.join(" and ")
    )))
}

/// The statement that compares pairs of values: two arrays of texts. Its rows are numbers of pairs, from 1.
pub(super) fn comparison_text(base: &BaseType, comparison: Comparison) -> Option<VisibleText> {
    let name = if comparison.is_pattern() { "pg_catalog.text".to_owned() } else { type_of(base) };
    // Operators of arrays, ranges, enums and composite types are the server's own; those of a type that an extension brings are where
    // the type is.
    let is_own = comparison.is_pattern() || base.is_array || base.kind != "b";
    let compare = operator(if is_own { "pg_catalog" } else { &base.schema }, comparison.operator())?;
    Some(VisibleText(format!(
        "select u.n::pg_catalog.text from rows from (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) \
         with ordinality u (a, b, n) where u.a::{name} {compare} u.b::{name}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visible::ColumnRights;

    fn base(schema: &str, name: &str) -> BaseType {
        BaseType {
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind: "b".to_owned(),
            is_array: false,
            element: String::new(),
        }
    }

    fn column(name: &str, base: BaseType) -> VisibleColumn {
        let (name, type_name) = (name.to_owned(), base.name.clone());
        VisibleColumn { name, type_name, base, labels: Vec::new(), key: Some(1), readers: ColumnRights::default() }
    }

    #[test]
    fn names_are_quoted_and_cannot_end_their_quotes() {
        let hostile = column("id\"; drop table x; --", base("s\"", "t\""));
        let text = visible_text(("a\"b", "c d"), [(&hostile, ("pg_catalog", "="))].into_iter()).expect("a text");
        assert_eq!(
            text.as_str(),
            "select u.n::pg_catalog.text from rows from (pg_catalog.unnest($1::pg_catalog.text[])) \
             with ordinality u (k1, n) cross join lateral (select from \"a\"\"b\".\"c d\" t \
             where t.\"id\"\"; drop table x; --\" operator(\"pg_catalog\".=) u.k1::\"s\"\"\".\"t\"\"\" limit 1) f"
        );
        let one = column("id", base("pg_catalog", "int4"));
        assert_eq!(visible_text(("a", "b"), [(&one, ("pg_catalog", "= 1 or"))].into_iter()), None);
        assert_eq!(visible_text(("a", "b"), [].into_iter()), None);
    }

    #[test]
    fn operators_are_those_of_the_type() {
        let own = comparison_text(&base("pg_catalog", "timestamptz"), Comparison::Less).expect("a text");
        assert!(own.as_str().contains("operator(\"pg_catalog\".<) u.b::\"pg_catalog\".\"timestamptz\""), "{own:?}");
        let citext = comparison_text(&base("extensions", "citext"), Comparison::Equal).expect("a text");
        assert!(citext.as_str().contains("operator(\"extensions\".=) u.b::\"extensions\".\"citext\""), "{citext:?}");
        let pattern = comparison_text(&base("pg_catalog", "varchar"), Comparison::ILike).expect("a text");
        assert!(
            pattern.as_str().ends_with("where u.a::pg_catalog.text operator(\"pg_catalog\".~~*) u.b::pg_catalog.text"),
            "{pattern:?}"
        );
    }
}
