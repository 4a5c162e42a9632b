//! What the database holds, as far as a statement can name it.

use std::collections::{HashMap, HashSet};

/// One row of [`Catalog::QUERY`], column by column.
pub type CatalogRow = [String; 5];

/// How a function of the project or of an extension is judged. The query does the classifying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Of an extension on the short list, and without effects.
    Extension,
    /// Of another extension, compiled and immutable: not called by name, but harmless where it shares one with a function
    /// that is allowed.
    Inert,
    /// The project's own, stable or immutable, and runs no SQL text.
    Plain,
    /// The project's own, runs no SQL text, and may change data.
    Volatile,
    /// Runs as its owner.
    Definer,
    /// May run SQL text, or is in a language that the gate cannot read.
    Dynamic,
    /// Everything else.
    Denied,
}

/// All the functions of one schema that share a name.
#[derive(Debug, Default)]
pub(super) struct Overloads {
    /// What each kind of them is.
    pub(super) classes: Vec<Class>,
    /// Whether one of them can be called with a single argument, and so as `x.f`.
    pub(super) unary: bool,
}

/// How an operator outside `pg_catalog` is judged.
#[derive(Debug)]
pub(super) enum Operator {
    /// Compiled code without effects.
    Inert,
    /// As the function behind it: schema and name.
    Function(String, String),
}

/// How a type outside `pg_catalog` is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeClass {
    /// Of an extension on the short list.
    Extension,
    /// The project's own.
    Plain,
    /// Everything else, a domain over `regclass` for one.
    Denied,
}

/// Names within a schema, by schema.
type BySchema<T> = HashMap<String, HashMap<String, T>>;

/// The relations, functions, types and operators of a database, and the names its server keeps in `pg_catalog`.
///
/// A database changes under a running host: fill a new one when a statement is refused for a name that may be new, and at
/// least every few minutes.
#[derive(Debug, Default)]
pub struct Catalog {
    relations: BySchema<char>,
    functions: BySchema<Overloads>,
    types: BySchema<TypeClass>,
    operators: BySchema<Vec<Operator>>,
    builtins: HashMap<String, bool>,
    builtin_types: HashSet<String>,
}

impl Catalog {
    /// Fills a catalog. Any login may run it; all five columns are text and never null. It takes some 20 ms, and more where
    /// the server compiles it first: run it with `jit` off.
    pub const QUERY: &'static str = include_str!("catalog.sql");

    /// Builds the catalog from the rows of [`Self::QUERY`]. A row it cannot read denies what it names.
    pub fn from_rows(rows: impl IntoIterator<Item = CatalogRow>) -> Self {
        let mut catalog = Self::default();
        for row in rows {
            catalog.insert(row);
        }
        catalog
    }

    /// The relation's kind as `pg_class.relkind` has it.
    pub(super) fn relation(&self, schema: &str, name: &str) -> Option<char> {
        self.relations.get(schema)?.get(name).copied()
    }

    /// Schema and name of every relation.
    pub(super) fn relations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.relations.iter().flat_map(|(schema, names)| names.keys().map(move |name| (schema.as_str(), name.as_str())))
    }

    /// The functions of this name in this schema.
    pub(super) fn functions(&self, schema: &str, name: &str) -> Option<&Overloads> {
        self.functions.get(schema)?.get(name)
    }

    /// The type of this name in this schema, apart from the row types of tables and views.
    pub(super) fn named_type(&self, schema: &str, name: &str) -> Option<TypeClass> {
        self.types.get(schema)?.get(name).copied()
    }

    /// The operators of this name in this schema.
    pub(super) fn operators(&self, schema: &str, name: &str) -> Option<&[Operator]> {
        Some(self.operators.get(schema)?.get(name)?)
    }

    /// Whether this server's `pg_catalog` has a function of this name.
    pub(super) fn has_builtin(&self, name: &str) -> bool {
        self.builtins.contains_key(name)
    }

    /// Whether this server's `pg_catalog` has a function of this name that takes a single argument, or may have: every
    /// server has some, so a catalog without any was never filled.
    pub(super) fn may_have_unary_builtin(&self, name: &str) -> bool {
        self.builtins.is_empty() || self.builtins.get(name).copied().unwrap_or_default()
    }

    /// Whether this server's `pg_catalog` has a type of this name.
    pub(super) fn has_builtin_type(&self, name: &str) -> bool {
        self.builtin_types.contains(name)
    }

    fn insert(&mut self, [what, schema, name, detail, extra]: CatalogRow) {
        match what.as_str() {
            "relation" => {
                self.relations.entry(schema).or_default().insert(name, detail.chars().next().unwrap_or('?'));
            }
            "function" => {
                let overloads = self.functions.entry(schema).or_default().entry(name).or_default();
                overloads.classes.push(function_class(&detail));
                overloads.unary |= extra == "unary";
            }
            "type" => {
                self.types.entry(schema).or_default().insert(name, type_class(&detail));
            }
            "operator" => {
                let operator = if detail == "inert" { Operator::Inert } else { Operator::Function(detail, extra) };
                self.operators.entry(schema).or_default().entry(name).or_default().push(operator);
            }
            "builtin" => {
                self.builtins.insert(name, extra == "unary");
            }
            "builtin_type" => {
                self.builtin_types.insert(name);
            }
            // A kind of row from a newer query names nothing that this gate would allow.
            _ => {}
        }
    }
}

fn function_class(detail: &str) -> Class {
    match detail {
        "extension" => Class::Extension,
        "inert" => Class::Inert,
        "plain" => Class::Plain,
        "volatile" => Class::Volatile,
        "definer" => Class::Definer,
        "dynamic" => Class::Dynamic,
        _ => Class::Denied,
    }
}

fn type_class(detail: &str) -> TypeClass {
    match detail {
        "extension" => TypeClass::Extension,
        "plain" => TypeClass::Plain,
        _ => TypeClass::Denied,
    }
}
