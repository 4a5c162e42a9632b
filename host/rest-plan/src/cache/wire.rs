//! The JSON of the introspection statement, as it is written.

use serde::Deserialize;

use super::names::{Expression, Ident};

pub(super) type Oid = u64;

/// Row type, schema, name, columns.
pub(super) type Composite = (Oid, Ident, Ident, Vec<(Ident, Oid)>);

/// Direction, domain, schema and name of the function.
pub(super) type Cast = (char, Oid, Ident, Ident);

/// Schema and name of an aggregate, its type, and the relation whose rows it takes, unless it takes any.
pub(super) type Maker = (Ident, Ident, Oid, Option<Oid>);

#[derive(Deserialize)]
pub(super) struct Catalogue {
    pub(super) schemas: Vec<(Ident, Option<Box<str>>)>,
    pub(super) search: Vec<Ident>,
    pub(super) relations: Vec<Relation>,
    pub(super) keys: Vec<Key>,
    pub(super) views: Vec<(Oid, String)>,
    pub(super) routines: Vec<Routine>,
    pub(super) composites: Vec<Composite>,
    pub(super) rows: Vec<(Oid, Oid)>,
    pub(super) computed: Vec<Computed>,
    pub(super) types: Vec<Type>,
    pub(super) casts: Vec<Cast>,
    pub(super) makers: Vec<Maker>,
    pub(super) geojson: Option<(Ident, Ident)>,
    pub(super) timezones: Vec<Box<str>>,
}

/// Object id, schema, name, kind, bits of what is updatable, description, columns.
#[derive(Deserialize)]
pub(super) struct Relation(
    pub(super) Oid,
    pub(super) Ident,
    pub(super) Ident,
    pub(super) char,
    pub(super) u32,
    pub(super) Option<Box<str>>,
    pub(super) Vec<Column>,
);

/// Number, name, type, whether null is allowed, default, type with its modifier, description.
#[derive(Deserialize)]
pub(super) struct Column(
    pub(super) i16,
    pub(super) Ident,
    pub(super) Oid,
    pub(super) bool,
    pub(super) Option<Expression>,
    pub(super) Option<Box<str>>,
    pub(super) Option<Box<str>>,
);

/// Kind, name, relation, columns, referenced relation, referenced columns.
#[derive(Deserialize)]
pub(super) struct Key(
    pub(super) char,
    pub(super) Ident,
    pub(super) Oid,
    pub(super) Vec<i16>,
    pub(super) Oid,
    pub(super) Option<Vec<i16>>,
);

/// Schema, name, description, volatility, whether it returns a set, return type, inputs, outputs.
#[derive(Deserialize)]
pub(super) struct Routine(
    pub(super) Ident,
    pub(super) Ident,
    pub(super) Option<Box<str>>,
    pub(super) char,
    pub(super) bool,
    pub(super) Oid,
    pub(super) Vec<(Ident, Oid, bool, bool)>,
    pub(super) Vec<(Ident, Oid)>,
);

/// Schema, name, relation of the argument, return type, whether it returns a set, at most one row, relation that it returns.
#[derive(Deserialize)]
pub(super) struct Computed(
    pub(super) Ident,
    pub(super) Ident,
    pub(super) Oid,
    pub(super) Oid,
    pub(super) bool,
    pub(super) bool,
    pub(super) Option<Oid>,
);

/// Object id, schema, name, kind, category, element, base of a domain, name for people, labels of an enum.
#[derive(Deserialize)]
pub(super) struct Type(
    pub(super) Oid,
    pub(super) Ident,
    pub(super) Ident,
    pub(super) char,
    pub(super) char,
    pub(super) Oid,
    pub(super) Oid,
    pub(super) Box<str>,
    pub(super) Option<Vec<Box<str>>>,
);
