//! Relationships, found from keys and views.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::names::Ident;
use super::relation::{Relation, RelationId};
use super::relationship::{How, Junction, Over, Relationship};
use super::views::Place;
use super::wire::{self, Oid};

/// Columns of views by the base columns that they show.
pub(super) type Shown = HashMap<Place, Vec<Place>>;

/// A foreign key, between tables or views, by numbers of columns.
struct Reference {
    constraint: Ident,
    from: Oid,
    to: Oid,
    columns: Vec<(i16, i16)>,
    /// Whether a key of the table says that a row is referred to once.
    one_to_one: bool,
    /// Whether the referenced side is a table, whose key promises at most one row.
    to_table: bool,
    from_table: bool,
}

/// What the numbers of the catalogue mean.
pub(super) struct Catalogue<'c> {
    pub(super) relations: &'c [Relation],
    pub(super) by_oid: &'c HashMap<Oid, RelationId>,
    /// Names of columns by their places; dropped columns leave holes in the numbers.
    pub(super) names: &'c HashMap<Place, Ident>,
}

impl Catalogue<'_> {
    /// Partitions take no part: their rows are already those of the whole table.
    fn relation(&self, oid: Oid) -> Option<&Relation> {
        let relation = self.by_oid.get(&oid).and_then(|id| self.relations.get(id.0 as usize));
        relation.filter(|relation| !relation.is_partition())
    }

    fn pairs(&self, from: Oid, to: Oid, columns: &[(i16, i16)]) -> Option<Box<[(Ident, Ident)]>> {
        columns
            .iter()
            .map(|(own, other)| Some((self.names.get(&(from, *own))?.clone(), self.names.get(&(to, *other))?.clone())))
            .collect()
    }
}

/// All relationships between exposed relations that keys make.
pub(super) fn from_keys(catalogue: &Catalogue<'_>, keys: &[wire::Key], shown: &Shown) -> Vec<Relationship> {
    let references = references(keys, shown);
    let mut found = Vec::with_capacity(references.len() * 2);
    for reference in &references {
        found.extend(direct(catalogue, reference));
    }
    found.extend(many_to_many(catalogue, &references));
    found
}

/// Foreign keys of tables, and those that views show in full.
fn references(keys: &[wire::Key], shown: &Shown) -> Vec<Reference> {
    let unique: HashSet<(Oid, Vec<i16>)> =
        keys.iter().filter(|key| key.0 != 'f').map(|key| (key.2, sorted(&key.3))).collect();
    let mut all = Vec::new();
    for wire::Key(kind, constraint, from, own, to, others) in keys {
        let (true, Some(others)) = (*kind == 'f', others) else { continue };
        let one_to_one = unique.contains(&(*from, sorted(own)));
        let froms = sides(*from, own, shown);
        let tos = sides(*to, others, shown);
        for (from_place, (from, own)) in froms.iter().enumerate() {
            for (to_place, (to, others)) in tos.iter().enumerate() {
                all.push(Reference {
                    constraint: constraint.clone(),
                    from: *from,
                    to: *to,
                    columns: own.iter().copied().zip(others.iter().copied()).collect(),
                    one_to_one,
                    to_table: to_place == 0,
                    from_table: from_place == 0,
                });
            }
        }
    }
    all
}

fn sorted(columns: &[i16]) -> Vec<i16> {
    let mut columns = columns.to_vec();
    columns.sort_unstable();
    columns
}

/// More ways to show one key than this are of no use to anybody.
const MAX_WAYS: usize = 64;

/// The table with its columns, and each view that shows all of them, in every way in which it does.
fn sides(table: Oid, columns: &[i16], shown: &Shown) -> Vec<(Oid, Vec<i16>)> {
    let mut all = vec![(table, columns.to_vec())];
    let Some(first) = columns.first().and_then(|column| shown.get(&(table, *column))) else { return all };
    let mut views: Vec<Oid> = first.iter().map(|(view, _)| *view).collect();
    views.dedup();
    for view in views {
        let mut ways: Vec<Vec<i16>> = vec![Vec::new()];
        for column in columns {
            let places: Vec<i16> = shown
                .get(&(table, *column))
                .map(|places| places.iter().filter(|(seen, _)| *seen == view).map(|(_, column)| *column).collect())
                .unwrap_or_default();
            ways = ways
                .iter()
                .flat_map(|way| places.iter().map(move |place| way.iter().copied().chain([*place]).collect()))
                .take(MAX_WAYS)
                .collect();
        }
        all.extend(ways.into_iter().map(|way| (view, way)));
    }
    all
}

/// The relationship of one reference, and the same seen from the other side.
fn direct(catalogue: &Catalogue<'_>, reference: &Reference) -> Vec<Relationship> {
    let (Some(from), Some(to)) = (catalogue.relation(reference.from), catalogue.relation(reference.to)) else {
        return Vec::new();
    };
    let Some(columns) = catalogue.pairs(reference.from, reference.to, &reference.columns) else { return Vec::new() };
    let back: Box<[(Ident, Ident)]> = columns.iter().map(|(own, other)| (other.clone(), own.clone())).collect();
    let over = |columns| Over { constraint: reference.constraint.clone(), columns };
    let (there, home) = if reference.one_to_one {
        (How::OneToOne(over(columns)), How::OneToOne(over(back)))
    } else {
        (How::ManyToOne(over(columns)), How::OneToMany(over(back)))
    };
    let unique_home = reference.one_to_one && reference.from_table;
    vec![
        Relationship { from: from.id, to: to.id, how: there, to_view: to.is_view(), unique: reference.to_table },
        Relationship { from: to.id, to: from.id, how: home, to_view: from.is_view(), unique: unique_home },
    ]
}

/// Relations whose primary key contains two foreign keys join their targets.
fn many_to_many(catalogue: &Catalogue<'_>, references: &[Reference]) -> Vec<Relationship> {
    // In a fixed order, because errors list what was found.
    let mut by_junction: BTreeMap<Oid, Vec<&Reference>> = BTreeMap::new();
    for reference in references.iter().filter(|reference| !reference.one_to_one) {
        by_junction.entry(reference.from).or_default().push(reference);
    }
    let mut found = Vec::new();
    for (oid, references) in by_junction {
        let Some(junction) = catalogue.relation(oid) else { continue };
        for first in &references {
            for second in references.iter().filter(|second| second.constraint != first.constraint) {
                found.extend(join(catalogue, junction, first, second));
            }
        }
    }
    found
}

fn join(catalogue: &Catalogue<'_>, junction: &Relation, first: &Reference, second: &Reference) -> Option<Relationship> {
    let from = catalogue.relation(first.to)?;
    let to = catalogue.relation(second.to)?;
    let origin = catalogue.pairs(first.from, first.to, &first.columns)?;
    let target = catalogue.pairs(second.from, second.to, &second.columns)?;
    if !origin.iter().chain(&target).all(|(own, _)| junction.primary_key.contains(own)) {
        return None;
    }
    let swap = |pairs: &[(Ident, Ident)]| pairs.iter().map(|(own, other)| (other.clone(), own.clone())).collect();
    Some(Relationship {
        from: from.id,
        to: to.id,
        how: How::ManyToMany(Junction {
            relation: junction.id,
            origin: Over { constraint: first.constraint.clone(), columns: swap(&origin) },
            target: Over { constraint: second.constraint.clone(), columns: swap(&target) },
        }),
        to_view: to.is_view(),
        unique: false,
    })
}
