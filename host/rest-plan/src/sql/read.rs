//! Rows with what is embedded in them.
//!
//! An embedded resource that only shows rows is a sub-select in the select list: Postgres makes it after it ordered and
//! limited the rows. One that only filters is `exists`, so that counting all rows uses the same conditions. A spread resource
//! is joined, because its columns are columns of the row.

use super::builder::{Sql, Tag};
use super::condition;
use super::spread;
use crate::cache::{How, Ident, Over};
use crate::syntax::ast::Aggregate;
use crate::tree::{Child, Node, Output, Scope, Source, Term, Total};

/// The common table expression that writes and calls put their rows in.
pub(super) const SOURCE: &str = "\"rest_source\"";

/// Where the rows of a level come from.
#[derive(Clone, Copy)]
pub(super) enum From<'a, 'c, 'q> {
    /// The relation itself.
    Relation,
    /// What a write or a function gave.
    Source,
    /// What a write gave, with a column that is not of the relation.
    Marked,
    /// A relation, by its relationship to the level with this alias.
    Embedded(&'a Child<'c, 'q>, Tag),
}

pub(super) fn tag_of(node: &Node<'_, '_>) -> Tag {
    Tag('t', node.tag)
}

/// `select … from … where … group by … order by … limit …`.
pub(super) fn rows(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>) {
    if sql.is_full() {
        return;
    }
    let tag = tag_of(node);
    let totals = node.has_totals();
    sql.push("select ");
    let grouped = outputs(sql, node, matches!(from, From::Marked));
    source(sql, node, from);
    for child in node.children.iter().filter(|child| child.spread) {
        spread::join(sql, child, tag);
    }
    conditions(sql, node, from);
    if totals && !grouped.is_empty() {
        sql.push(" group by ").list(", ", grouped, |sql, group| match group {
            Group::Place(place) => _ = sql.number(place),
            Group::Stored(column) => _ = sql.column(tag, column),
        });
    }
    order(sql, node, tag);
    limit(sql, node, from);
}

/// What rows are grouped by.
enum Group<'c> {
    /// The column of the answer at this place.
    Place(usize),
    /// A column as it is stored: values as they are shown, which are JSON, cannot be compared.
    Stored(&'c Ident),
}

/// Writes the columns; returns those that are no totals.
fn outputs<'c>(sql: &mut Sql, node: &Node<'c, '_>, marked: bool) -> Vec<Group<'c>> {
    let tag = tag_of(node);
    let totals = node.has_totals();
    let mut place = 0;
    let mut grouped = Vec::new();
    let mut next = |sql: &mut Sql, is_total: bool, stored: Option<&'c Ident>| {
        place += 1;
        if place > 1 {
            sql.push(", ");
        }
        if !is_total {
            grouped.push(stored.map_or(Group::Place(place), Group::Stored));
        }
    };
    for output in &node.fields {
        if sql.is_full() {
            return grouped;
        }
        if output.label.is_none() && (totals || marked || node.scope.is_represented()) {
            for column in node.scope.columns() {
                let shown = node.scope.shown(column);
                next(sql, false, shown.map(|_| column));
                all(sql, node, column);
                if shown.is_some() {
                    sql.push(" as ").ident(column);
                }
            }
            continue;
        }
        let stored = match output.field.source {
            Source::Column(name) if output.field.path.is_empty() => output.shown().map(|_| name),
            _ => None,
        };
        next(sql, output.aggregate.is_some() || matches!(output.field.source, Source::Rows), stored);
        one(sql, tag, output);
    }
    for child in node.children.iter().filter(|child| !child.silent) {
        if child.spread {
            for given in spread::given(sql, &child.node) {
                next(sql, given.total.is_some(), None);
                spread::column(sql, child, &given);
            }
        } else {
            next(sql, false, None);
            embedded(sql, child, tag);
            sql.push(if totals { "::pg_catalog.jsonb as " } else { " as " }).alias(child.key);
        }
    }
    grouped
}

/// One column of all, as answers show it.
pub(super) fn all(sql: &mut Sql, node: &Node<'_, '_>, column: &Ident) {
    let tag = tag_of(node);
    match node.scope.shown(column) {
        Some(function) => _ = sql.call(function).column(tag, column).push(")"),
        None => _ = sql.column(tag, column),
    }
}

fn one(sql: &mut Sql, tag: Tag, output: &Output<'_, '_>) {
    match (&output.aggregate, output.label) {
        (Some(total), _) => {
            open_total(sql, total);
            if total.counts_rows(&output.field) {
                sql.push("*");
            } else {
                value(sql, tag, output);
            }
            close_total(sql, total);
        }
        (None, _) => value(sql, tag, output),
    }
    if let Some(label) = output.label {
        sql.push(" as ").label(label);
    }
}

pub(super) fn value(sql: &mut Sql, tag: Tag, output: &Output<'_, '_>) {
    match output.cast {
        Some(cast) => {
            sql.push("cast(");
            condition::shown(sql, tag, &output.field);
            sql.push(" as ").kind(cast).push(")");
        }
        None => condition::shown(sql, tag, &output.field),
    }
}

pub(super) fn open_total(sql: &mut Sql, total: &Total<'_>) {
    sql.push(if total.cast.is_some() { "cast(" } else { "" });
    sql.push(match total.aggregate {
        Aggregate::Sum => "pg_catalog.sum(",
        Aggregate::Avg => "pg_catalog.avg(",
        Aggregate::Count => "pg_catalog.count(",
        Aggregate::Max => "pg_catalog.max(",
        Aggregate::Min => "pg_catalog.min(",
    });
}

pub(super) fn close_total(sql: &mut Sql, total: &Total<'_>) {
    sql.push(")");
    if let Some(cast) = total.cast {
        sql.push(" as ").kind(cast).push(")");
    }
}

/// ` from …`, with a junction if there is one.
pub(super) fn source(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>) {
    sql.relation();
    sql.push(" from ");
    match from {
        From::Source | From::Marked => _ = sql.push(SOURCE),
        From::Relation => relation(sql, node),
        From::Embedded(child, parent) => match &child.relationship.how {
            How::Computed { function, .. } => {
                sql.name(function).push("(");
                row_of(sql, child, parent);
                sql.push(")");
            }
            _ => relation(sql, node),
        },
    }
    sql.push(" as ").tag(tag_of(node));
    if let From::Embedded(Child { junction: Some(junction), .. }, _) = from {
        sql.push(", ").name(junction).push(" as ").tag(Tag('j', node.tag));
    }
}

/// The row of the parent, which a source may have with other columns or as a record.
fn row_of(sql: &mut Sql, child: &Child<'_, '_>, parent: Tag) {
    match child.origin {
        Some(origin) if parent.1 == 0 => {
            sql.push("row(").list(", ", &origin.columns, |sql, column| _ = sql.column(parent, &column.name));
            sql.push(")::").name(&origin.name);
        }
        _ => _ = sql.tag(parent).push(".*"),
    }
}

fn relation(sql: &mut Sql, node: &Node<'_, '_>) {
    match node.scope {
        Scope::Relation(relation) => _ = sql.name(&relation.name),
        Scope::Columns { .. } | Scope::Scalar(_) => _ = sql.push(SOURCE),
    }
}

/// ` where …`: how it belongs to its parent, the filters, and that inner resources have rows.
pub(super) fn conditions(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>) {
    let tag = tag_of(node);
    let mut open = false;
    let mut and = |sql: &mut Sql| {
        sql.push(if open { " and " } else { " where " });
        open = true;
    };
    if let From::Embedded(child, parent) = from {
        match &child.relationship.how {
            How::OneToMany(over) | How::ManyToOne(over) | How::OneToOne(over) => {
                and(sql);
                equal(sql, over, parent, tag);
            }
            How::ManyToMany(junction) => {
                and(sql);
                equal(sql, &junction.target, tag, Tag('j', node.tag));
                sql.push(" and ");
                equal(sql, &junction.origin, parent, Tag('j', node.tag));
            }
            How::Computed { .. } => {}
        }
    }
    if !node.conditions.is_empty() {
        and(sql);
        condition::all(sql, node, tag, &node.conditions);
    }
    for child in node.children.iter().filter(|child| child.inner) {
        and(sql);
        exists(sql, child, tag);
        if sql.is_full() {
            return;
        }
    }
}

/// The columns of a key are equal: those of its origin at one alias, those of its target at the other.
fn equal(sql: &mut Sql, over: &Over, origin: Tag, target: Tag) {
    sql.list(" and ", &over.columns, |sql, (own, other)| {
        sql.column(target, other).push(" = ").column(origin, own);
    });
}

/// Whether an embedded resource has rows for the row of its parent.
pub(super) fn exists(sql: &mut Sql, child: &Child<'_, '_>, parent: Tag) {
    if sql.is_full() {
        return;
    }
    let from = From::Embedded(child, parent);
    sql.push("exists (select");
    source(sql, &child.node, from);
    conditions(sql, &child.node, from);
    sql.push(")");
}

/// All rows of a level, as they are counted.
pub(super) fn counted(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>) {
    sql.push("select 1");
    source(sql, node, from);
    conditions(sql, node, from);
}

pub(super) fn order(sql: &mut Sql, node: &Node<'_, '_>, tag: Tag) {
    if node.order.is_empty() {
        return;
    }
    sql.push(" order by ").list(", ", &node.order, |sql, each| term(sql, node, tag, each));
}

fn term(sql: &mut Sql, node: &Node<'_, '_>, tag: Tag, term: &Term<'_, '_>) {
    if sql.is_full() {
        return;
    }
    match term.child.and_then(|child| node.children.get(child)) {
        None => condition::field(sql, tag, &term.field),
        Some(child) => {
            let from = From::Embedded(child, tag);
            sql.push("(select ");
            condition::field(sql, tag_of(&child.node), &term.field);
            source(sql, &child.node, from);
            conditions(sql, &child.node, from);
            sql.push(" limit 1)");
        }
    }
    sql.push(match term.descending {
        None => "",
        Some(false) => " asc",
        Some(true) => " desc",
    });
    sql.push(match term.nulls_first {
        None => "",
        Some(true) => " nulls first",
        Some(false) => " nulls last",
    });
}

pub(super) fn limit(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>) {
    if let From::Embedded(child, _) = from
        && child.is_to_one()
    {
        // A key may promise that there is one row; without a limit Postgres can join it in more ways.
        let asked = node.range.limit == Some(0) || node.range.offset > 0;
        if !child.relationship.unique && !asked {
            sql.push(" limit 1");
            return;
        }
        if !asked {
            return;
        }
    }
    if let Some(limit) = node.range.limit {
        sql.push(" limit ").param(limit.to_string());
    }
    if node.range.offset > 0 {
        sql.push(" offset ").param(node.range.offset.to_string());
    }
}

/// A value of the row: an array of rows, or one row, as JSON.
pub(super) fn embedded(sql: &mut Sql, child: &Child<'_, '_>, parent: Tag) {
    let tag = Tag('e', child.node.tag);
    if child.is_to_one() {
        sql.push("(select pg_catalog.row_to_json(").tag(tag).push(".*) from (");
    } else {
        sql.push("(select coalesce(pg_catalog.json_agg(").tag(tag).push(".*), '[]') from (");
    }
    rows(sql, &child.node, From::Embedded(child, parent));
    sql.push(") as ").tag(tag).push(")");
}
