//! The server's types: their names, how their text form becomes a [`Value`](crate::Value), and what they are made of.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

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
    /// With what stands between its elements.
    Array(Element, u8),
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

/// A type's name, decoding and parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeEntry {
    pub(super) name: String,
    pub(super) kind: TypeKind,
    /// The type below all domains; the type itself where it is no domain.
    pub(super) base: u32,
    /// The type of the elements of an array.
    pub(super) element: Option<u32>,
    /// The fields of a composite type, in their order.
    pub(super) fields: Arc<[(String, u32)]>,
}

/// Lists all types with the types below their domains and of their elements. Oids below 16384 are fixed, but one query serves both
/// kinds.
pub(super) const LOAD: &str = "with recursive below (oid, base) as (
         select t.oid, t.oid from pg_catalog.pg_type t where t.typtype <> 'd'
         union all
         select d.oid, b.base from pg_catalog.pg_type d join below b on b.oid = d.typbasetype where d.typtype = 'd')
     select t.oid::text, t.typname::text, coalesce(e.typname, '')::text, coalesce(t.typelem, 0)::text,
         coalesce(e.typdelim, ',')::text, b.base::text
     from pg_catalog.pg_type t
     join below b using (oid)
     left join below eb on eb.oid = t.typelem and t.typcategory = 'A'
     left join pg_catalog.pg_type e on e.oid = eb.base
     where t.typtype in ('b', 'c', 'e', 'r', 'm', 'p', 'd')";

/// Lists the fields of the project's composite types, those of tables included.
pub(super) const LOAD_FIELDS: &str = "select c.reltype::text, a.attname::text, a.atttypid::text
     from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     join pg_catalog.pg_attribute a on a.attrelid = c.oid
     where c.reltype <> 0 and a.attnum > 0 and not a.attisdropped
       and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
     order by c.reltype, a.attnum";

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

    /// Replaces the map by the rows of [`LOAD`] and [`LOAD_FIELDS`].
    pub(super) fn load(&self, types: impl Iterator<Item = [String; 6]>, fields: impl Iterator<Item = [String; 3]>) {
        let mut by_type: HashMap<u32, Vec<(String, u32)>> = HashMap::new();
        for [oid, name, field] in fields {
            if let (Ok(oid), Ok(field)) = (oid.parse(), field.parse()) {
                by_type.entry(oid).or_default().push((name, field));
            }
        }
        let loaded = types
            .filter_map(|[oid, name, element, element_oid, delimiter, base]| {
                let oid = oid.parse().ok()?;
                let kind = kind(&name, &element, delimiter.bytes().next().unwrap_or(b','));
                let element = element_oid.parse().ok().filter(|_| matches!(kind, TypeKind::Array(..)));
                let fields = by_type.remove(&oid).unwrap_or_default().into();
                Some((oid, TypeEntry { name, kind, base: base.parse().unwrap_or(oid), element, fields }))
            })
            .collect();
        if let Ok(mut entries) = self.entries.write() {
            *entries = loaded;
        }
    }
}

fn kind(name: &str, element: &str, delimiter: u8) -> TypeKind {
    match name {
        "bool" => TypeKind::Bool,
        "int2" | "int4" | "int8" | "oid" => TypeKind::Int,
        "float4" | "float8" => TypeKind::Float,
        "bytea" => TypeKind::Bytes,
        "vector" => TypeKind::Vector,
        "timestamp" => TypeKind::Timestamp,
        "timestamptz" => TypeKind::TimestampTz,
        "json" | "jsonb" => TypeKind::Json,
        _ if !element.is_empty() => {
            let element = match element {
                "bool" => Element::Bool,
                "int2" | "int4" | "int8" | "oid" | "float4" | "float8" => Element::Number,
                "timestamp" | "timestamptz" => Element::Timestamp,
                "json" | "jsonb" => Element::Json,
                _ => Element::Text,
            };
            TypeKind::Array(element, delimiter)
        }
        _ => TypeKind::Text,
    }
}
