//! A request with its names resolved: what is read, from where, and how it belongs together.

mod link;
mod names;
mod resolve;
mod want;

use crate::cache::{Ident, Name, Relation, Relationship, Representation, Type};
use crate::request::range::Range;
use crate::syntax::ast::{Aggregate, Operation, Step};

pub(crate) use names::{Alias, Label};
pub(crate) use resolve::{Resolver, resolve_conditions};
pub(crate) use want::{Parts, Want, range_error};

/// One level of a read: rows of one relation or function, with what is embedded in them.
#[derive(Debug)]
pub(crate) struct Node<'c, 'q> {
    /// The number of its alias in SQL.
    pub(crate) tag: u16,
    pub(crate) scope: Scope<'c>,
    pub(crate) fields: Vec<Output<'c, 'q>>,
    pub(crate) conditions: Vec<Condition<'c, 'q>>,
    pub(crate) order: Vec<Term<'c, 'q>>,
    pub(crate) range: Range,
    pub(crate) children: Vec<Child<'c, 'q>>,
}

/// An embedded resource.
#[derive(Debug)]
pub(crate) struct Child<'c, 'q> {
    pub(crate) node: Node<'c, 'q>,
    pub(crate) relationship: &'c Relationship,
    /// The relation that a function of the relationship takes a row of.
    pub(crate) origin: Option<&'c Relation>,
    /// The relation between the two, if there is one.
    pub(crate) junction: Option<&'c Name>,
    /// The key of the answer.
    pub(crate) key: Alias<'q>,
    pub(crate) inner: bool,
    pub(crate) spread: bool,
    /// Whether it gives nothing and only filters.
    pub(crate) silent: bool,
}

/// What the columns of a level are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'c> {
    Relation(&'c Relation),
    /// The result of a function that has no relation's shape.
    Columns {
        name: &'c Ident,
        columns: &'c [(Ident, crate::cache::TypeId)],
    },
    /// Values without columns, of the function of this name.
    Scalar(&'c Ident),
}

/// A column with a path into it.
#[derive(Clone, Debug)]
pub(crate) struct Field<'c, 'q> {
    pub(crate) source: Source<'c>,
    pub(crate) path: &'q [Step],
    pub(crate) is_json: bool,
    pub(crate) is_tsvector: bool,
    /// How its values are shown and read, if not as they are stored.
    pub(crate) representation: Option<&'c Representation>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'c> {
    Column(&'c Ident),
    /// All columns.
    All,
    /// How many rows there are: `count` without parentheses, where no column is called so. Postgres reads `relation.count` as
    /// `count(relation)`, so clients of PostgREST have always had it. It makes no groups.
    Rows,
}

/// One column of the answer.
#[derive(Debug)]
pub(crate) struct Output<'c, 'q> {
    pub(crate) field: Field<'c, 'q>,
    pub(crate) cast: Option<&'c Type>,
    pub(crate) aggregate: Option<Total<'c>>,
    /// `None` for all columns.
    pub(crate) label: Option<Label<'c, 'q>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Total<'c> {
    pub(crate) aggregate: Aggregate,
    pub(crate) cast: Option<&'c Type>,
}

#[derive(Debug)]
pub(crate) enum Condition<'c, 'q> {
    Group {
        negated: bool,
        any: bool,
        members: Vec<Condition<'c, 'q>>,
    },
    Filter {
        field: Field<'c, 'q>,
        negated: bool,
        operation: &'q Operation,
    },
    /// Whether the embedded resource at this place has rows.
    Exists {
        child: usize,
        negated: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Term<'c, 'q> {
    /// The embedded resource whose column it is.
    pub(crate) child: Option<usize>,
    pub(crate) field: Field<'c, 'q>,
    pub(crate) descending: Option<bool>,
    pub(crate) nulls_first: Option<bool>,
}

impl<'c> Output<'c, '_> {
    /// The function that shows its values.
    pub(crate) fn shown(&self) -> Option<&'c Name> {
        self.field.representation?.shown.as_ref()
    }
}

impl Child<'_, '_> {
    pub(crate) fn is_to_one(&self) -> bool {
        self.relationship.is_to_one()
    }
}

impl Node<'_, '_> {
    /// Whether a total is made at this level, of its own fields or of those that spread resources give to it.
    pub(crate) fn has_totals(&self) -> bool {
        self.fields.iter().any(|field| field.aggregate.is_some())
            || self.children.iter().any(|child| child.spread && child.node.has_totals())
    }

    /// Whether its rows are not those of its relation, because totals are made of them.
    pub(crate) fn is_total(&self) -> bool {
        self.has_totals() || self.fields.iter().any(|field| matches!(field.field.source, Source::Rows))
    }

    /// Whether it is nothing but the columns of its relation, as they are stored.
    pub(crate) fn is_whole(&self) -> bool {
        let [only] = self.fields.as_slice() else { return false };
        only.label.is_none() && only.aggregate.is_none() && self.children.is_empty() && !self.scope.is_represented()
    }

    /// Whether a function shows values of its columns.
    pub(crate) fn is_represented(&self) -> bool {
        self.fields.iter().any(|output| match output.label {
            None => self.scope.is_represented(),
            Some(_) => output.shown().is_some(),
        })
    }

    /// This level and all below it.
    pub(crate) fn walk(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        for child in &self.children {
            child.node.walk(visit);
        }
    }
}
