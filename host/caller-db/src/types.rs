//! The server's types: their names, and how their text form becomes a [`Value`](crate::Value).

use std::collections::HashMap;
use std::sync::RwLock;

/// How the text form of a type is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeKind {
    Bool,
    Int,
    Float,
    Bytes,
    Vector,
    Timestamp,
    TimestampTz,
    Json,
    Text,
    Array(Element),
}

/// The elements of an array, as far as JSON distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Bool,
    /// Integers and finite floats are JSON numbers. `numeric` is not: JSON readers would round it.
    Number,
    Timestamp,
    Json,
    Text,
}

/// A type's name and decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeEntry {
    pub(super) name: String,
    pub(super) kind: TypeKind,
}

/// Lists all types with the type of their elements. Oids below 16384 are fixed, but one query serves both kinds.
pub(super) const LOAD: &str = "select t.oid::text, t.typname::text, coalesce(e.typname, '')::text \
     from pg_catalog.pg_type t \
     left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A' \
     where t.typtype in ('b', 'e', 'r', 'm', 'p', 'd') and (t.typrelid = 0)";

/// All types of one database, shared by its connections.
#[derive(Debug, Default)]
pub(super) struct TypeMap {
    entries: RwLock<HashMap<u32, TypeEntry>>,
}

impl TypeMap {
    /// The entry of a type, or `None` if the type was created after the map was loaded.
    pub(super) fn get(&self, oid: u32) -> Option<TypeEntry> {
        self.entries.read().ok()?.get(&oid).cloned()
    }

    /// Whether [`TypeMap::load`] has not run yet.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.read().is_ok_and(|entries| entries.is_empty())
    }

    /// Replaces the map by the rows of [`LOAD`].
    pub(super) fn load(&self, rows: impl Iterator<Item = [String; 3]>) {
        let loaded = rows
            .filter_map(|[oid, name, element]| {
                let kind = kind(&name, &element);
                Some((oid.parse().ok()?, TypeEntry { name, kind }))
            })
            .collect();
        if let Ok(mut entries) = self.entries.write() {
            *entries = loaded;
        }
    }
}

fn kind(name: &str, element: &str) -> TypeKind {
    match name {
        "bool" => TypeKind::Bool,
        "int2" | "int4" | "int8" | "oid" => TypeKind::Int,
        "float4" | "float8" => TypeKind::Float,
        "bytea" => TypeKind::Bytes,
        "vector" => TypeKind::Vector,
        "timestamp" => TypeKind::Timestamp,
        "timestamptz" => TypeKind::TimestampTz,
        "json" | "jsonb" => TypeKind::Json,
        _ if !element.is_empty() => TypeKind::Array(match element {
            "bool" => Element::Bool,
            "int2" | "int4" | "int8" | "oid" | "float4" | "float8" => Element::Number,
            "timestamp" | "timestamptz" => Element::Timestamp,
            "json" | "jsonb" => Element::Json,
            _ => Element::Text,
        }),
        _ => TypeKind::Text,
    }
}
