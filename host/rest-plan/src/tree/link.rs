//! Finds the relationship that an embedded resource means.

use crate::cache::{How, Ident, Over, Relation, Relationship, SchemaCache};
use crate::error::RestError;

/// From where to where.
pub(super) struct Search<'s, 'c> {
    pub(super) schema: &'s Ident,
    pub(super) origin: Option<&'c Relation>,
    /// The name of the origin, for errors.
    pub(super) name: &'s str,
    pub(super) target: &'s str,
    pub(super) hint: Option<&'s str>,
}

pub(super) fn find<'c>(cache: &'c SchemaCache, search: &Search<'_, 'c>) -> Result<&'c Relationship, RestError> {
    let known = search.origin.map_or(&[][..], |origin| cache.relationships(origin.id));
    let found: Vec<&Relationship> = known.iter().filter(|relationship| fits(cache, search, relationship)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let origin = (search.name, search.origin);
            Err(RestError::no_relationship(cache, search.schema, origin, search.target, search.hint))
        }
        several => Err(RestError::ambiguous_relationship(cache, search.name, search.target, several)),
    }
}

fn fits(cache: &SchemaCache, search: &Search<'_, '_>, relationship: &Relationship) -> bool {
    let target = search.target;
    if let How::Computed { function, .. } = &relationship.how {
        return function.name.as_str() == target;
    }
    let Some(to) = cache.relation_by_id(relationship.to) else { return false };
    if to.name.schema != *search.schema {
        return false;
    }
    let named = to.name.name.as_str() == target;
    if relationship.from == relationship.to {
        return fits_self(search, relationship, named);
    }
    let over = relationship.over();
    match search.hint {
        None => {
            named
                || !relationship.to_view
                    && over.is_some_and(|over| over.constraint.as_str() == target || own_column(over) == Some(target))
        }
        Some(hint) => {
            named
                && (over.is_some_and(|over| {
                    over.constraint.as_str() == hint
                        || own_column(over) == Some(hint)
                        || other_column(over) == Some(hint)
                }) || junction(cache, relationship) == Some(hint))
        }
    }
}

/// A relation that refers to itself is many by its name and one by its column.
fn fits_self(search: &Search<'_, '_>, relationship: &Relationship, named: bool) -> bool {
    match (&relationship.how, search.hint) {
        (How::OneToMany(_), None) => named,
        (How::OneToMany(over), Some(hint)) => named && other_column(over) == Some(hint),
        (How::ManyToOne(over), None) => own_column(over) == Some(search.target),
        _ => false,
    }
}

/// The origin's column of a key of one column.
fn own_column(over: &Over) -> Option<&str> {
    match over.columns.as_ref() {
        [(own, _)] => Some(own.as_str()),
        _ => None,
    }
}

fn other_column(over: &Over) -> Option<&str> {
    match over.columns.as_ref() {
        [(_, other)] => Some(other.as_str()),
        _ => None,
    }
}

fn junction<'c>(cache: &'c SchemaCache, relationship: &Relationship) -> Option<&'c str> {
    match &relationship.how {
        How::ManyToMany(junction) => {
            cache.relation_by_id(junction.relation).map(|relation| relation.name.name.as_str())
        }
        _ => None,
    }
}
