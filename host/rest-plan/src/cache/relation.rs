//! Tables and views.

use super::names::{Expression, Ident, Name};
use super::produced::Maker;
use super::types::TypeId;

/// A relation, by its place in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RelationId(pub(super) u32);

/// A table, view, materialized view or foreign table of an exposed schema.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) id: RelationId,
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    pub(crate) can: Can,
    pub(crate) description: Option<Box<str>>,
    pub(crate) columns: Box<[Column]>,
    /// Names of the primary key's columns; those of a view come from its base tables.
    pub(crate) primary_key: Box<[Ident]>,
    /// Functions that take one row of this relation and return one value.
    pub(crate) computed: Vec<ComputedField>,
    /// The columns whose values a function shows, with the function.
    pub(crate) shown: Box<[(Ident, Name)]>,
    /// Aggregates that make a media type of its rows.
    pub(crate) makers: Vec<Maker>,
}

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    Partitioned,
    Partition,
    View,
    Foreign,
}

/// What can be done to a relation's rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Can {
    pub(crate) insert: bool,
    pub(crate) update: bool,
    pub(crate) delete: bool,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: Ident,
    pub(crate) kind: TypeId,
    pub(crate) nullable: bool,
    pub(crate) default: Option<Expression>,
    pub(crate) notes: Option<Box<Notes>>,
}

/// What only the description of the interface needs.
#[derive(Debug)]
pub(crate) struct Notes {
    pub(crate) format: Option<Box<str>>,
    pub(crate) description: Option<Box<str>>,
}

#[derive(Debug)]
pub(crate) struct ComputedField {
    pub(crate) name: Ident,
    pub(crate) kind: TypeId,
}

impl Relation {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }

    pub(crate) fn computed_field(&self, name: &str) -> Option<&ComputedField> {
        self.computed.iter().find(|field| field.name.as_str() == name)
    }

    /// The function that shows the values of a column.
    pub(crate) fn shown(&self, column: &Ident) -> Option<&Name> {
        self.shown.iter().find(|(name, _)| name == column).map(|(_, function)| function)
    }

    pub(crate) fn is_view(&self) -> bool {
        self.kind == Kind::View
    }

    pub(crate) fn is_partition(&self) -> bool {
        self.kind == Kind::Partition
    }

    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self
            .columns
            .iter()
            .map(|column| {
                size_of::<Column>()
                    + column.name.as_str().len()
                    + 16
                    + column.default.as_ref().map_or(0, |text| text.as_str().len())
                    + column.notes.as_ref().map_or(0, |notes| {
                        size_of::<Notes>()
                            + notes.format.as_ref().map_or(0, |text| text.len())
                            + notes.description.as_ref().map_or(0, |text| text.len())
                    })
            })
            .sum();
        size_of::<Self>()
            + columns
            + self.shown.len() * size_of::<(Ident, Name)>()
            + self.makers.len() * size_of::<Maker>()
            + self.name.name.as_str().len()
            + self.description.as_ref().map_or(0, |text| text.len())
    }
}
