//! Functions that can be called.

use super::names::{Ident, Name};
use super::produced::Produced;
use super::relation::RelationId;
use super::types::{TypeId, Types};

#[derive(Debug)]
pub(crate) struct Routine {
    pub(crate) name: Name,
    pub(crate) description: Option<Box<str>>,
    pub(crate) volatility: Volatility,
    pub(crate) inputs: Box<[Input]>,
    pub(crate) returns: Returns,
    pub(crate) returns_set: bool,
    /// The media type of its value, if it is one.
    pub(crate) produced: Option<Box<Produced>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

#[derive(Debug)]
pub(crate) struct Input {
    /// Empty, if the parameter has no name.
    pub(crate) name: Ident,
    pub(crate) kind: TypeId,
    pub(crate) required: bool,
    pub(crate) variadic: bool,
}

/// What a function gives.
#[derive(Debug)]
pub(crate) enum Returns {
    Void,
    Scalar,
    /// Rows of a relation of an exposed schema.
    Relation(RelationId),
    /// A record, whose columns nobody knows before it is called; it is a value.
    Record,
    /// Rows of another shape: a composite type's name and the columns.
    Columns {
        name: Option<Name>,
        columns: Box<[(Ident, TypeId)]>,
    },
}

impl Routine {
    pub(crate) fn is_void(&self) -> bool {
        matches!(self.returns, Returns::Void)
    }

    /// Whether the answer is values and not rows.
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self.returns, Returns::Void | Returns::Scalar | Returns::Record)
    }

    /// Whether every input has a name, or the only one can be a whole body.
    pub(super) fn is_callable(&self, types: &Types) -> bool {
        match self.inputs.as_ref() {
            [input] if input.name.as_str().is_empty() => types.get(input.kind).is_some_and(|kind| {
                kind.name.schema.as_str() == "pg_catalog"
                    && matches!(kind.name.name.as_str(), "bytea" | "json" | "jsonb" | "text" | "xml")
            }),
            inputs => inputs.iter().all(|input| !input.name.as_str().is_empty()),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.name.name.as_str().len()
            + self.description.as_ref().map_or(0, |text| text.len())
            + self.produced.as_ref().map_or(0, |_| size_of::<Produced>())
            + self.inputs.iter().map(|input| size_of::<Input>() + input.name.as_str().len() + 16).sum::<usize>()
    }
}
