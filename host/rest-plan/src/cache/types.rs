//! Types of the catalogue, and the spellings by which a request may name them.

use std::collections::HashMap;

use super::names::{Ident, Name};
use super::representation::Representation;
use super::wire::{self, Oid};

/// A type, by its place in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(u32);

/// What the planner has to know of a type.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: Name,
    /// As `format_type` writes it, with the schema if it is not a built-in type.
    pub(crate) display: Box<str>,
    pub(crate) base: TypeId,
    pub(crate) is_array: bool,
    pub(crate) is_composite: bool,
    pub(crate) is_domain: bool,
    /// How its values are shown and read, if it is a domain with casts.
    pub(crate) representation: Option<Box<Representation>>,
    pub(crate) labels: Option<Box<[Box<str>]>>,
}

#[derive(Debug)]
pub(crate) struct Types {
    all: Vec<Type>,
    by_name: HashMap<(Ident, Ident), TypeId>,
    search: Vec<Ident>,
}

/// The spellings of SQL that are not names in the catalogue.
const SPELLINGS: &[(&str, &str)] = &[
    ("bigint", "int8"),
    ("bit varying", "varbit"),
    ("boolean", "bool"),
    ("char varying", "varchar"),
    ("character", "bpchar"),
    ("character varying", "varchar"),
    ("dec", "numeric"),
    ("decimal", "numeric"),
    ("double precision", "float8"),
    ("float", "float8"),
    ("int", "int4"),
    ("integer", "int4"),
    ("real", "float4"),
    ("smallint", "int2"),
    ("time with time zone", "timetz"),
    ("time without time zone", "time"),
    ("timestamp with time zone", "timestamptz"),
    ("timestamp without time zone", "timestamp"),
];

/// Types whose values cost the square of their size, with their arrays.
const COSTLY: &[&str] = &["xml", "_xml", "path", "_path", "polygon", "_polygon"];

impl Types {
    pub(super) fn new(rows: Vec<wire::Type>, search: Vec<Ident>) -> (Self, HashMap<Oid, TypeId>) {
        let ids: HashMap<Oid, TypeId> =
            rows.iter().zip(0..).map(|(wire::Type(oid, ..), place)| (*oid, TypeId(place))).collect();
        let mut all = Vec::with_capacity(rows.len());
        let mut by_name = HashMap::with_capacity(rows.len());
        for (wire::Type(oid, schema, name, kind, category, element, base, display, labels), place) in
            rows.into_iter().zip(0..)
        {
            let builtin = schema.as_str() == "pg_catalog";
            let display = if builtin || display.contains('.') { display } else { format!("{schema}.{display}").into() };
            by_name.insert((schema.clone(), name.clone()), TypeId(place));
            let base = ids.get(&base).or_else(|| ids.get(&oid)).copied().unwrap_or(TypeId(place));
            all.push(Type {
                name: Name { schema, name },
                display,
                base,
                is_array: category == 'A' && element != 0,
                is_composite: kind == 'c',
                is_domain: kind == 'd',
                representation: None,
                labels: labels.map(Vec::into_boxed_slice),
            });
        }
        (Self { all, by_name, search }, ids)
    }

    pub(crate) fn get(&self, id: TypeId) -> Option<&Type> {
        self.all.get(id.0 as usize)
    }

    /// The type under a domain, or the type itself.
    pub(crate) fn base(&self, id: TypeId) -> Option<&Type> {
        self.get(self.get(id)?.base)
    }

    /// Takes the function of a cast from or to a domain.
    pub(super) fn represent(&mut self, id: TypeId, direction: char, function: Name) {
        if let Some(kind) = self.all.get_mut(id.0 as usize) {
            kind.representation.get_or_insert_default().add(direction, function);
        }
    }

    /// How values of the type are shown and read, if not as they are stored.
    pub(crate) fn representation(&self, id: TypeId) -> Option<&Representation> {
        self.get(id)?.representation.as_deref()
    }

    /// The function that shows values of the type.
    pub(super) fn shown(&self, id: TypeId) -> Option<&Name> {
        self.representation(id)?.shown.as_ref()
    }

    /// Finds a type by the way in which SQL spells it without quotes.
    pub(crate) fn find(&self, schema: &Ident, spelling: &str) -> Option<&Type> {
        let lower = spelling.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let name = SPELLINGS.iter().find(|(spelled, _)| *spelled == lower).map_or(lower.as_str(), |(_, name)| name);
        let name = Ident::of_catalogue(name);
        let builtin = Ident::of_catalogue("pg_catalog");
        // As Postgres looks: the built-in schema is first, unless the path names it elsewhere.
        let id = std::iter::once(&builtin)
            .chain(std::iter::once(schema))
            .chain(&self.search)
            .find_map(|schema| self.by_name.get(&(schema.clone(), name.clone())))?;
        self.get(*id)
    }

    /// Whether Postgres may work on a value of the type for minutes without looking whether it was cancelled.
    pub(crate) fn costs_too_much(&self, kind: &Type) -> bool {
        let name = &self.get(kind.base).unwrap_or(kind).name;
        name.schema.as_str() == "pg_catalog" && COSTLY.contains(&name.name.as_str())
    }

    pub(super) fn bytes(&self) -> usize {
        self.all
            .iter()
            .map(|each| size_of::<Type>() * 2 + each.display.len() + each.name.name.as_str().len() + 64)
            .sum()
    }
}
