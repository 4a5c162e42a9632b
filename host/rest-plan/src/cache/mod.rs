//! What the planner knows of a database.

mod build;
mod links;
mod names;
mod produced;
mod relation;
mod relationship;
mod representation;
mod routine;
mod types;
mod views;
mod wire;

use std::collections::{HashMap, HashSet};

pub use names::Hook;
pub(crate) use names::{Expression, Ident, Name};
pub(crate) use produced::{Maker, Produced};
pub(crate) use relation::{Relation, RelationId};
pub(crate) use relationship::{How, Over, Relationship};
pub(crate) use representation::Representation;
pub(crate) use routine::{Input, Returns, Routine, Volatility};
pub(crate) use types::{Type, TypeId, Types};

/// Everything the planner knows of a database; made from the JSON that [`SchemaCache::QUERY`] returns.
#[derive(Debug)]
pub struct SchemaCache {
    /// Exposed schemas in order, with their descriptions; the first is the default.
    pub(crate) schemas: Vec<(Ident, Option<Box<str>>)>,
    pub(crate) types: Types,
    pub(crate) geojson: Option<Name>,
    /// Aggregates that make a media type of any rows.
    pub(crate) makers: Vec<Maker>,
    pub(crate) timezones: HashSet<Box<str>>,
    relations: Vec<Relation>,
    relations_by_name: HashMap<Ident, Vec<RelationId>>,
    /// By the place of the relation that they start from.
    relationships: Vec<Vec<Relationship>>,
    routines: Vec<Routine>,
    routines_by_name: HashMap<Ident, Vec<usize>>,
    bytes: usize,
}

impl SchemaCache {
    /// The statement that reads the catalogue.
    ///
    /// `$1` are the exposed schemas as the literal of a `text[]`, in order, the first being the default; `$2` are the other
    /// schemas of the search path. It returns one row of one column, JSON text. It reads `pg_catalog` only. It should run
    /// with `set local search_path = ''`, so that defaults of columns come with qualified names.
    pub const QUERY: &'static str = include_str!("catalogue.sql");

    /// Reads what [`SchemaCache::QUERY`] returned.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(build::cache(serde_json::from_slice(json)?))
    }

    /// About how much memory the cache takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many tables and views, relationships and functions there are.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.relations.len(), self.relationships.iter().map(Vec::len).sum(), self.routines.len())
    }

    pub(crate) fn relation(&self, schema: &Ident, name: &str) -> Option<&Relation> {
        self.relations_by_name
            .get(name)?
            .iter()
            .filter_map(|id| self.relation_by_id(*id))
            .find(|relation| relation.name.schema == *schema)
    }

    pub(crate) fn relation_by_id(&self, id: RelationId) -> Option<&Relation> {
        self.relations.get(id.0 as usize)
    }

    pub(crate) fn relations(&self) -> &[Relation] {
        &self.relations
    }

    pub(crate) fn routines(&self) -> &[Routine] {
        &self.routines
    }

    pub(crate) fn relationships(&self, from: RelationId) -> &[Relationship] {
        self.relationships.get(from.0 as usize).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn routines_named<'c>(&'c self, schema: &'c Ident, name: &str) -> impl Iterator<Item = &'c Routine> {
        self.routines_by_name
            .get(name)
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .filter_map(|place| self.routines.get(*place))
            .filter(move |routine| routine.name.schema == *schema)
    }
}

impl std::borrow::Borrow<str> for Ident {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}
