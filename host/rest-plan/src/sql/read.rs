//! Rows with what is embedded in them.
//!
//! An embedded resource that only shows rows is a sub-select in the select list: Postgres makes it after it ordered and
//! limited the rows. One that only filters is `exists`, so that counting all rows uses the same conditions. A spread resource
//! is joined, because its columns are columns of the row.

use super::builder::{Sql, Tag};
use super::condition;
use crate::cache::{How, Ident, Over};
use crate::syntax::ast::Aggregate;
use crate::tree::{Child, Condition, Field, Label, Node, Output, Scope, Source, Term, Total};

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

/// One column that a level gives to the level that spreads it.
struct Given<'a, 'c, 'q> {
    place: usize,
    label: Label<'c, 'q>,
    total: Option<&'a Total<'c>>,
}

fn tag_of(node: &Node<'_, '_>) -> Tag {
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
        join(sql, child, tag);
    }
    conditions(sql, node, from);
    if totals && !grouped.is_empty() {
        sql.push(" group by ").list(", ", grouped, |sql, place| _ = sql.number(place));
    }
    order(sql, node, tag);
    limit(sql, node, from);
}

/// Writes the columns; returns the places of those that are no totals.
fn outputs(sql: &mut Sql, node: &Node<'_, '_>, marked: bool) -> Vec<usize> {
    let tag = tag_of(node);
    let totals = node.has_totals();
    let mut place = 0;
    let mut grouped = Vec::new();
    let mut next = |sql: &mut Sql, is_total: bool| {
        place += 1;
        if place > 1 {
            sql.push(", ");
        }
        if !is_total {
            grouped.push(place);
        }
    };
    for output in &node.fields {
        if sql.is_full() {
            return grouped;
        }
        if output.label.is_none() && (totals || marked) {
            for column in node.scope.columns() {
                next(sql, false);
                sql.column(tag, column);
            }
            continue;
        }
        next(sql, output.aggregate.is_some() || matches!(output.field.source, Source::Rows));
        one(sql, tag, output);
    }
    for child in node.children.iter().filter(|child| !child.silent) {
        if child.spread {
            for given in given(sql, &child.node) {
                next(sql, given.total.is_some());
                spread_column(sql, child, &given);
            }
        } else {
            next(sql, false);
            embedded(sql, child, tag);
            sql.push(if totals { "::pg_catalog.jsonb as " } else { " as " }).alias(child.key);
        }
    }
    grouped
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

fn value(sql: &mut Sql, tag: Tag, output: &Output<'_, '_>) {
    match output.cast {
        Some(cast) => {
            sql.push("cast(");
            condition::field(sql, tag, &output.field);
            sql.push(" as ").kind(cast).push(")");
        }
        None => condition::field(sql, tag, &output.field),
    }
}

fn open_total(sql: &mut Sql, total: &Total<'_>) {
    sql.push(if total.cast.is_some() { "cast(" } else { "" });
    sql.push(match total.aggregate {
        Aggregate::Sum => "pg_catalog.sum(",
        Aggregate::Avg => "pg_catalog.avg(",
        Aggregate::Count => "pg_catalog.count(",
        Aggregate::Max => "pg_catalog.max(",
        Aggregate::Min => "pg_catalog.min(",
    });
}

fn close_total(sql: &mut Sql, total: &Total<'_>) {
    sql.push(")");
    if let Some(cast) = total.cast {
        sql.push(" as ").kind(cast).push(")");
    }
}

/// ` from …`, with a junction if there is one.
fn source(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>) {
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
fn conditions(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>) {
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

fn order(sql: &mut Sql, node: &Node<'_, '_>, tag: Tag) {
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

fn limit(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>) {
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
fn embedded(sql: &mut Sql, child: &Child<'_, '_>, parent: Tag) {
    let tag = Tag('e', child.node.tag);
    if child.is_to_one() {
        sql.push("(select pg_catalog.row_to_json(").tag(tag).push(".*) from (");
    } else {
        sql.push("(select coalesce(pg_catalog.json_agg(").tag(tag).push(".*), '[]') from (");
    }
    rows(sql, &child.node, From::Embedded(child, parent));
    sql.push(") as ").tag(tag).push(")");
}

/// A spread resource, whose columns become those of its parent.
fn join(sql: &mut Sql, child: &Child<'_, '_>, parent: Tag) {
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
                sql.column(tag, column).push(" as ").place(place);
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
fn given<'a, 'c, 'q>(sql: &mut Sql, node: &'a Node<'c, 'q>) -> Vec<Given<'a, 'c, 'q>> {
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

fn spread_column(sql: &mut Sql, child: &Child<'_, '_>, given: &Given<'_, '_, '_>) {
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

/// The columns of a source that the levels above it use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs<'c> {
    pub(crate) all: bool,
    pub(crate) columns: Vec<Need<'c>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Need<'c> {
    pub(crate) name: &'c Ident,
    /// Whether a function makes it of the row.
    pub(crate) computed: bool,
}

impl<'c> Needs<'c> {
    /// What a root level needs of its source.
    pub(crate) fn of(node: &Node<'c, '_>) -> Self {
        let mut needs = Self::default();
        for output in &node.fields {
            match output.field.source {
                Source::Column(name) => needs.add(node.scope, name),
                Source::All => needs.all |= output.aggregate.is_none(),
                Source::Rows => {}
            }
        }
        for term in node.order.iter().filter(|term| term.child.is_none()) {
            needs.add_field(node.scope, &term.field);
        }
        for condition in &node.conditions {
            needs.add_condition(node.scope, condition);
        }
        for child in &node.children {
            match &child.relationship.how {
                How::OneToMany(over) | How::ManyToOne(over) | How::OneToOne(over) => {
                    over.columns.iter().for_each(|(own, _)| needs.add(node.scope, own));
                }
                How::ManyToMany(junction) => {
                    junction.origin.columns.iter().for_each(|(own, _)| needs.add(node.scope, own));
                }
                How::Computed { .. } => needs.all = true,
            }
        }
        needs
    }

    pub(crate) fn add(&mut self, scope: Scope<'c>, name: &'c Ident) {
        let computed = match scope {
            Scope::Relation(relation) => relation.column(name.as_str()).is_none(),
            Scope::Columns { .. } | Scope::Scalar(_) => false,
        };
        if !self.columns.iter().any(|need| need.name == name) {
            self.columns.push(Need { name, computed });
        }
    }

    fn add_field(&mut self, scope: Scope<'c>, field: &Field<'c, '_>) {
        if let Source::Column(name) = field.source {
            self.add(scope, name);
        }
    }

    fn add_condition(&mut self, scope: Scope<'c>, condition: &Condition<'c, '_>) {
        match condition {
            Condition::Group { members, .. } => members.iter().for_each(|member| self.add_condition(scope, member)),
            Condition::Filter { field, .. } => self.add_field(scope, field),
            Condition::Exists { .. } => {}
        }
    }
}
