//! Puts the cache together.

use std::collections::HashMap;

use super::SchemaCache;
use super::links::{self, Shown};
use super::names::{Ident, Name};
use super::produced::{Maker, Produced};
use super::relation::{Can, Column, ComputedField, Kind, Notes, Relation, RelationId};
use super::relationship::{How, Relationship};
use super::routine::{Input, Returns, Routine, Volatility};
use super::types::{TypeId, Types};
use super::views::{self, Place};
use super::wire::{self, Oid};

pub(super) fn cache(mut read: wire::Catalogue) -> SchemaCache {
    let (mut types, type_ids) = Types::new(std::mem::take(&mut read.types), read.search);
    for (direction, domain, schema, name) in std::mem::take(&mut read.casts) {
        if let Some(domain) = type_ids.get(&domain) {
            types.represent(*domain, direction, Name { schema, name });
        }
    }
    let shown = shown(&read.views);
    let names: HashMap<Place, Ident> = read
        .relations
        .iter()
        .flat_map(|relation| relation.6.iter().map(|column| ((relation.0, column.0), column.1.clone())))
        .collect();
    let by_oid: HashMap<Oid, RelationId> =
        read.relations.iter().zip(0..).map(|(relation, place)| (relation.0, RelationId(place))).collect();
    let primary_keys = primary_keys(&read.keys, &shown, &names);
    let mut relations: Vec<Relation> = read
        .relations
        .into_iter()
        .zip(0..)
        .map(|(row, place)| relation(row, RelationId(place), &primary_keys, &types, &type_ids))
        .collect();
    let makers = makers(read.makers, &mut relations, &by_oid, &types, &type_ids);
    let computed = computed(&read.computed, &mut relations, &by_oid, &type_ids);
    let catalogue = links::Catalogue { relations: &relations, by_oid: &by_oid, names: &names };
    let found = links::from_keys(&catalogue, &read.keys, &shown);
    let relationships = arrange(&relations, found, computed);
    let rows: HashMap<Oid, RelationId> =
        read.rows.iter().filter_map(|(row, oid)| Some((*row, *by_oid.get(oid)?))).collect();
    let mut routines = routines(read.routines, &read.composites, &rows, &types, &type_ids);
    order_overloads(&mut routines, &types);
    let mut relations_by_name: HashMap<Ident, Vec<RelationId>> = HashMap::with_capacity(relations.len());
    for relation in &relations {
        relations_by_name.entry(relation.name.name.clone()).or_default().push(relation.id);
    }
    let mut routines_by_name: HashMap<Ident, Vec<usize>> = HashMap::with_capacity(routines.len());
    for (place, routine) in routines.iter().enumerate() {
        routines_by_name.entry(routine.name.name.clone()).or_default().push(place);
    }
    let bytes = relations.iter().map(|each| each.bytes() + 96).sum::<usize>()
        + relationships.iter().flatten().map(Relationship::bytes).sum::<usize>()
        + routines.iter().map(|each| each.bytes() + 96).sum::<usize>()
        + types.bytes()
        + read.timezones.iter().map(|name| name.len() + 32).sum::<usize>();
    SchemaCache {
        schemas: read.schemas,
        types,
        geojson: read.geojson.map(|(schema, name)| Name { schema, name }),
        makers,
        timezones: read.timezones.into_iter().collect(),
        relations,
        relations_by_name,
        relationships,
        routines,
        routines_by_name,
        bytes,
    }
}

fn shown(views: &[(Oid, String)]) -> Shown {
    let mut shown = Shown::new();
    let mut views: Vec<_> = views::base_columns(views).into_iter().collect();
    views.sort_unstable_by_key(|(view, _)| *view);
    for (view, entries) in views {
        for (column, base) in entries {
            shown.entry(base).or_default().push((view, column));
        }
    }
    shown
}

/// Columns of the primary key of each table, and of each view that shows the whole of one.
fn primary_keys(keys: &[wire::Key], shown: &Shown, names: &HashMap<Place, Ident>) -> HashMap<Oid, Box<[Ident]>> {
    let mut found: HashMap<Oid, Vec<Ident>> = HashMap::new();
    for wire::Key(kind, _, table, columns, ..) in keys {
        if *kind != 'p' {
            continue;
        }
        let mut views: Vec<Oid> = columns
            .first()
            .and_then(|column| shown.get(&(*table, *column)))
            .map(|places| places.iter().map(|(view, _)| *view).collect())
            .unwrap_or_default();
        views.dedup();
        let own: Option<Vec<Ident>> = columns.iter().map(|column| names.get(&(*table, *column)).cloned()).collect();
        if let Some(own) = own {
            found.insert(*table, own);
        }
        for view in views {
            let columns: Option<Vec<Ident>> = columns
                .iter()
                .map(|column| {
                    let place = shown.get(&(*table, *column))?.iter().find(|(seen, _)| *seen == view)?;
                    names.get(place).cloned()
                })
                .collect();
            if let Some(columns) = columns {
                found.entry(view).or_default().extend(columns);
            }
        }
    }
    found.into_iter().map(|(oid, columns)| (oid, columns.into_boxed_slice())).collect()
}

fn relation(
    row: wire::Relation,
    id: RelationId,
    keys: &HashMap<Oid, Box<[Ident]>>,
    types: &Types,
    ids: &HashMap<Oid, TypeId>,
) -> Relation {
    let wire::Relation(oid, schema, name, kind, bits, description, columns) = row;
    let kind = match kind {
        'r' => Kind::Table,
        'p' => Kind::Partitioned,
        'f' => Kind::Foreign,
        't' => Kind::Partition,
        _ => Kind::View,
    };
    let columns: Box<[Column]> = columns
        .into_iter()
        .filter_map(|wire::Column(_, name, kind, nullable, default, format, description)| {
            let notes = (format.is_some() || description.is_some()).then(|| Box::new(Notes { format, description }));
            Some(Column { name, kind: *ids.get(&kind)?, nullable, default, notes })
        })
        .collect();
    Relation {
        id,
        name: Name { schema, name },
        kind,
        can: Can { insert: bits & 8 != 0, update: bits & 4 != 0, delete: bits & 16 != 0 },
        description,
        shown: columns.iter().filter_map(|each| Some((each.name.clone(), types.shown(each.kind)?.clone()))).collect(),
        columns,
        primary_key: keys.get(&oid).cloned().unwrap_or_default(),
        computed: Vec::new(),
        makers: Vec::new(),
    }
}

/// Adds aggregates to the relations whose rows they take, and gives those that take any rows.
fn makers(
    rows: Vec<wire::Maker>,
    relations: &mut [Relation],
    by_oid: &HashMap<Oid, RelationId>,
    types: &Types,
    ids: &HashMap<Oid, TypeId>,
) -> Vec<Maker> {
    let mut of_any = Vec::new();
    for (schema, name, kind, relation) in rows {
        let Some(produced) = ids.get(&kind).and_then(|kind| Produced::of(types, *kind)) else { continue };
        let maker = Maker { function: Name { schema, name }, produced };
        match relation {
            None => of_any.push(maker),
            Some(oid) => {
                if let Some(relation) = by_oid.get(&oid).and_then(|id| relations.get_mut(id.0 as usize)) {
                    relation.makers.push(maker);
                }
            }
        }
    }
    of_any
}

/// Adds computed columns to their relations and gives the computed relationships.
fn computed(
    rows: &[wire::Computed],
    relations: &mut [Relation],
    by_oid: &HashMap<Oid, RelationId>,
    types: &HashMap<Oid, TypeId>,
) -> Vec<Relationship> {
    let mut found = Vec::new();
    for wire::Computed(schema, name, from, kind, set, one, target) in rows {
        let Some(from) = by_oid.get(from) else { continue };
        if let Some(to) = target.and_then(|target| by_oid.get(&target)) {
            let to_view = relations.get(to.0 as usize).is_some_and(Relation::is_view);
            let function = Name { schema: schema.clone(), name: name.clone() };
            let how = How::Computed { function, one: *one };
            found.push(Relationship { from: *from, to: *to, how, to_view, unique: false });
        }
        if let (false, Some(kind), Some(relation)) = (*set, types.get(kind), relations.get_mut(from.0 as usize)) {
            relation.computed.push(ComputedField { name: name.clone(), kind: *kind });
        }
    }
    found
}

/// Sorts relationships under their origins; a computed one stands for those to a relation of its function's name.
fn arrange(relations: &[Relation], found: Vec<Relationship>, computed: Vec<Relationship>) -> Vec<Vec<Relationship>> {
    let mut arranged: Vec<Vec<Relationship>> = relations.iter().map(|_| Vec::new()).collect();
    let name_of = |id: RelationId| relations.get(id.0 as usize).map(|relation| &relation.name);
    for relationship in found {
        let hidden = computed.iter().any(|other| {
            other.from == relationship.from
                && matches!(&other.how, How::Computed { function, .. } if Some(function) == name_of(relationship.to))
        });
        if !hidden && let Some(list) = arranged.get_mut(relationship.from.0 as usize) {
            list.push(relationship);
        }
    }
    for relationship in computed {
        if let Some(list) = arranged.get_mut(relationship.from.0 as usize) {
            list.push(relationship);
        }
    }
    for list in &mut arranged {
        list.sort_by(|one, other| (name_of(one.to), one.rank()).cmp(&(name_of(other.to), other.rank())));
        list.shrink_to_fit();
    }
    arranged
}

/// Overloads stand in the order in which `PostgREST` names them if it cannot choose: by the number of their parameters, by their
/// descriptions, and by the parameters themselves.
fn order_overloads(routines: &mut [Routine], types: &Types) {
    let inputs = |routine: &Routine| {
        let shown = |input: &Input| types.get(input.kind).map_or("", |kind| &kind.display).to_owned();
        let inputs = routine.inputs.iter();
        inputs.map(|input| (input.name.clone(), shown(input), input.required, input.variadic)).collect::<Vec<_>>()
    };
    routines.sort_by(|one, other| {
        (&one.name, one.inputs.len(), &one.description)
            .cmp(&(&other.name, other.inputs.len(), &other.description))
            .then_with(|| inputs(one).cmp(&inputs(other)))
    });
}

fn routines(
    rows: Vec<wire::Routine>,
    composites: &[wire::Composite],
    relations: &HashMap<Oid, RelationId>,
    types: &Types,
    ids: &HashMap<Oid, TypeId>,
) -> Vec<Routine> {
    let columns = |list: &[(Ident, Oid)]| -> Box<[(Ident, TypeId)]> {
        list.iter().filter_map(|(name, kind)| Some((name.clone(), *ids.get(kind)?))).collect()
    };
    let base = |oid: Oid| ids.get(&oid).and_then(|id| types.get(*id)).map(|kind| kind.base);
    let composite = |oid: Oid| composites.iter().find(|(kind, ..)| *kind == oid || ids.get(kind).copied() == base(oid));
    let relation = |oid: Oid| {
        relations.get(&oid).or_else(|| {
            let base = base(oid)?;
            relations.iter().find(|(row, _)| ids.get(row) == Some(&base)).map(|(_, relation)| relation)
        })
    };
    rows.into_iter()
        .filter_map(|wire::Routine(schema, name, description, volatility, returns_set, kind, inputs, outputs)| {
            let value = ids.get(&kind).copied();
            let returns = if !outputs.is_empty() {
                Returns::Columns { name: None, columns: columns(&outputs) }
            } else if let Some(relation) = relation(kind) {
                Returns::Relation(*relation)
            } else if let Some((_, schema, name, list)) = composite(kind) {
                let name = Name { schema: schema.clone(), name: name.clone() };
                Returns::Columns { name: Some(name), columns: columns(list) }
            } else {
                let kind = *ids.get(&kind)?;
                match types.get(kind).map(|kind| (kind.name.schema.as_str(), kind.name.name.as_str())) {
                    Some(("pg_catalog", "void")) => Returns::Void,
                    Some(("pg_catalog", "record")) => Returns::Record,
                    _ => Returns::Scalar,
                }
            };
            let inputs: Option<Box<[Input]>> = inputs
                .into_iter()
                .map(|(name, kind, required, variadic)| {
                    Some(Input { name, kind: *ids.get(&kind)?, required, variadic })
                })
                .collect();
            let volatility = match volatility {
                'i' => Volatility::Immutable,
                's' => Volatility::Stable,
                _ => Volatility::Volatile,
            };
            let is_value = matches!(returns, Returns::Scalar) && !returns_set;
            let produced = value.filter(|_| is_value).and_then(|value| Produced::of(types, value)).map(Box::new);
            let routine = Routine {
                name: Name { schema, name },
                description,
                volatility,
                inputs: inputs?,
                returns,
                returns_set,
                produced,
            };
            routine.is_callable(types).then_some(routine)
        })
        .collect()
}
