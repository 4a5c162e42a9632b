//! The objects of a database that a statement can name.

use std::collections::{HashMap, HashSet};

/// One row of [`Catalog::QUERY`], column by column.
pub type CatalogRow = [String; 5];

/// The class of a function outside `pg_catalog`. [`Catalog::QUERY`] assigns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It belongs to a trusted extension and has no effects.
    Extension,
    /// It belongs to another extension, is compiled and immutable. It may not be called by name, but does no harm where
    /// it shares its name with an allowed function.
    Inert,
    /// It belongs to the project, is stable or immutable, and runs no SQL text.
    Plain,
    /// It belongs to the project, runs no SQL text, and may change data.
    Volatile,
    /// It runs with the rights of its owner (SECURITY DEFINER).
    Definer,
    /// It may run SQL text, or its language cannot be analysed.
    Dynamic,
    /// Any other function.
    Denied,
}

/// The functions of one schema that share a name.
#[derive(Debug, Default)]
pub(super) struct Overloads {
    /// The classes that occur among them.
    pub(super) classes: Vec<Class>,
    /// Whether one of them can be called with a single argument, and so as `x.f`.
    pub(super) unary: bool,
}

/// The class of an operator outside `pg_catalog`.
#[derive(Debug)]
pub(super) enum Operator {
    /// It is compiled code without effects.
    Inert,
    /// It is allowed if its function is: schema and name.
    Function(String, String),
}

/// The class of a type outside `pg_catalog`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeClass {
    /// It belongs to a trusted extension.
    Extension,
    /// It belongs to the project.
    Plain,
    /// Any other type, such as a domain over `regclass`.
    Denied,
}

/// Names within a schema, by schema.
type BySchema<T> = HashMap<String, HashMap<String, T>>;

/// The relations, functions, types and operators of a database, and the names in its server's `pg_catalog`.
///
/// The database changes while a host runs. Build a new catalog when
/// [`Refusal::may_be_new_name`](crate::Refusal::may_be_new_name) is true, and at least every few minutes.
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
    /// The query whose rows make a catalog. Any login may run it; its five columns are text and never null. It takes
    /// about 20 ms, and more if the server compiles it first, so run it with `jit` off.
    pub const QUERY: &'static str = include_str!("catalog.sql");

    /// Builds a catalog from the rows of [`Self::QUERY`]. An object whose row has an unknown class is not allowed.
    pub fn from_rows(rows: impl IntoIterator<Item = CatalogRow>) -> Self {
        let mut catalog = Self::default();
        for row in rows {
            catalog.insert(row);
        }
        catalog
    }

    /// The relation's `pg_class.relkind`.
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

    /// The type of this name in this schema. Row types of tables and views are not included.
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

    /// Whether this server's `pg_catalog` has, or may have, a function of this name that takes a single argument. A
    /// catalog without any built-in function was never filled, so any name may be one.
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
            // Rows of an unknown kind, from a newer query, allow nothing.
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
