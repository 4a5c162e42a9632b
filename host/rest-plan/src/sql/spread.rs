//! Spread resources, whose columns are columns of the row that they belong to.

use super::builder::{Sql, Tag};
use super::read::{From, all, close_total, conditions, embedded, limit, open_total, order, source, tag_of, value};
use crate::syntax::ast::Aggregate;
use crate::tree::{Child, Label, Node, Source, Total};

/// One column that a level gives to the level that spreads it.
pub(super) struct Given<'a, 'c, 'q> {
    place: usize,
    label: Label<'c, 'q>,
    pub(super) total: Option<&'a Total<'c>>,
}

/// A spread resource, whose columns become those of its parent.
pub(super) fn join(sql: &mut Sql, child: &Child<'_, '_>, parent: Tag) {
    if sql.is_full() {
        return;
    }
    let given = given(sql, &child.node);
    let inner = Tag('x', child.node.tag);
    sql.push(" left join lateral (");
    if child.is_to_one() {
        raw_rows(sql, child, parent);
    } else {
        sql.push("select ");
        sql.list(", ", &given, |sql, given| {
            sql.push("coalesce(pg_catalog.json_agg(").column_at(inner, given.place);
            sql.push("), '[]')::pg_catalog.jsonb as ").place(given.place);
        });
        sql.push(" from (");
        raw_rows(sql, child, parent);
        sql.push(") as ").tag(inner);
    }
    sql.push(") as ").tag(Tag('s', child.node.tag)).push(" on true");
}

/// The rows of a spread resource, with columns by number, and without totals, which are made where it is spread.
fn raw_rows(sql: &mut Sql, child: &Child<'_, '_>, parent: Tag) {
    let node = &child.node;
    let tag = tag_of(node);
    let from = From::Embedded(child, parent);
    let mut place = 0;
    let mut next = |sql: &mut Sql| {
        place += 1;
        sql.push(if place > 1 { ", " } else { "" });
        place
    };
    sql.push("select ");
    for output in &node.fields {
        if sql.is_full() {
            return;
        }
        if output.label.is_none() {
            for column in node.scope.columns() {
                let place = next(sql);
                all(sql, node, column);
                sql.push(" as ").place(place);
            }
            continue;
        }
        let place = next(sql);
        if output.aggregate.as_ref().is_some_and(|total| total.counts_rows(&output.field)) {
            sql.push("1");
        } else {
            value(sql, tag, output);
        }
        sql.push(" as ").place(place);
    }
    for below in node.children.iter().filter(|below| !below.silent) {
        if below.spread {
            for given in given(sql, &below.node) {
                let place = next(sql);
                sql.column_at(Tag('s', below.node.tag), given.place).push(" as ").place(place);
            }
        } else {
            let place = next(sql);
            embedded(sql, below, tag);
            sql.push("::pg_catalog.jsonb as ").place(place);
        }
    }
    source(sql, node, from);
    for below in node.children.iter().filter(|below| below.spread) {
        join(sql, below, tag);
    }
    conditions(sql, node, from);
    order(sql, node, tag);
    limit(sql, node, from);
}

/// The columns of a spread resource, in the order in which [`raw_rows`] numbers them.
pub(super) fn given<'a, 'c, 'q>(sql: &mut Sql, node: &'a Node<'c, 'q>) -> Vec<Given<'a, 'c, 'q>> {
    let mut all = Vec::new();
    if !sql.is_full() {
        collect(node, &mut all);
    }
    if all.len() > MAX_GIVEN {
        sql.fill();
    }
    all
}

/// As many columns as a select list of Postgres can have.
const MAX_GIVEN: usize = 1_664;

/// Adds the columns of a level, and stops soon after there are more than [`MAX_GIVEN`].
fn collect<'a, 'c, 'q>(node: &'a Node<'c, 'q>, all: &mut Vec<Given<'a, 'c, 'q>>) {
    fn add<'a, 'c, 'q>(all: &mut Vec<Given<'a, 'c, 'q>>, label: Label<'c, 'q>, total: Option<&'a Total<'c>>) {
        all.push(Given { place: all.len() + 1, label, total });
    }
    for output in &node.fields {
        if all.len() > MAX_GIVEN {
            return;
        }
        match (output.label, output.field.source) {
            (None, Source::All) => {
                for column in node.scope.columns() {
                    add(all, Label::Catalogue(column), None);
                }
            }
            (Some(label), _) => add(all, label, output.aggregate.as_ref()),
            (None, Source::Column(name)) => add(all, Label::Catalogue(name), None),
            (None, Source::Rows) => add(all, Label::Fixed(Aggregate::Count.name()), None),
        }
    }
    for child in node.children.iter().filter(|child| !child.silent) {
        if all.len() > MAX_GIVEN {
            return;
        }
        if child.spread {
            collect(&child.node, all);
        } else {
            add(all, Label::Client(child.key), None);
        }
    }
}

/// One column of a spread resource, in the row of its parent.
pub(super) fn column(sql: &mut Sql, child: &Child<'_, '_>, given: &Given<'_, '_, '_>) {
    let tag = Tag('s', child.node.tag);
    match given.total {
        Some(total) => {
            open_total(sql, total);
            sql.column_at(tag, given.place);
            close_total(sql, total);
        }
        None => _ = sql.column_at(tag, given.place),
    }
    sql.push(" as ").label(given.label);
}

impl Sql {
    /// The name of a column by number.
    fn place(&mut self, place: usize) -> &mut Self {
        self.push("\"c").number(place).push("\"")
    }

    fn column_at(&mut self, tag: Tag, place: usize) -> &mut Self {
        self.tag(tag).push(".").place(place)
    }
}
