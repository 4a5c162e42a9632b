//! How rows of one relation belong to rows of another.

use super::names::{Ident, Name};
use super::relation::RelationId;

/// One way from a relation to another.
#[derive(Clone, Debug)]
pub(crate) struct Relationship {
    pub(crate) from: RelationId,
    pub(crate) to: RelationId,
    pub(crate) how: How,
    /// Whether the target is a view; a constraint or a column does not name one.
    pub(crate) to_view: bool,
    /// Whether the database promises at most one row, by a key of a table.
    pub(crate) unique: bool,
}

/// What joins the two.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// One row to many, over a foreign key of the target.
    OneToMany(Over),
    /// Many rows to one, over a foreign key of the origin.
    ManyToOne(Over),
    /// At most one row on both sides.
    OneToOne(Over),
    /// Over a third relation that has foreign keys to both.
    ManyToMany(Junction),
    /// A function that takes a row of the origin.
    Computed { function: Name, one: bool },
}

/// A foreign key: its name, and pairs of a column of the origin with one of the target.
#[derive(Clone, Debug)]
pub(crate) struct Over {
    pub(crate) constraint: Ident,
    pub(crate) columns: Box<[(Ident, Ident)]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Junction {
    pub(crate) relation: RelationId,
    /// From the junction to the origin: pairs of the origin's column with the junction's.
    pub(crate) origin: Over,
    /// From the junction to the target: pairs of the target's column with the junction's.
    pub(crate) target: Over,
}

impl Relationship {
    pub(crate) fn is_to_one(&self) -> bool {
        matches!(self.how, How::ManyToOne(_) | How::OneToOne(_) | How::Computed { one: true, .. })
    }

    /// The foreign key, if a single one joins the two.
    pub(crate) fn over(&self) -> Option<&Over> {
        match &self.how {
            How::OneToMany(over) | How::ManyToOne(over) | How::OneToOne(over) => Some(over),
            How::ManyToMany(_) | How::Computed { .. } => None,
        }
    }

    /// In the order in which `PostgREST` lists ambiguous relationships.
    pub(super) fn rank(&self) -> (u8, &str) {
        match &self.how {
            How::OneToMany(over) => (0, over.constraint.as_str()),
            How::ManyToOne(over) => (1, over.constraint.as_str()),
            How::OneToOne(over) => (2, over.constraint.as_str()),
            How::ManyToMany(junction) => (3, junction.origin.constraint.as_str()),
            How::Computed { function, .. } => (4, function.name.as_str()),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.how {
                How::ManyToMany(junction) => (junction.origin.columns.len() + junction.target.columns.len()) * 32,
                _ => self.over().map_or(0, |over| over.columns.len() * 32),
            }
    }
}
