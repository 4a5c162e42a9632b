//! Inserts, updates and deletes.

use super::body::{self, BODY, Body, Fields};
use super::builder::{Sql, Tag};
use super::condition;
use super::needs::Needs;
use crate::cache::{Ident, Relation};
use crate::tree::Condition;

/// A change to the rows of one relation.
#[derive(Debug)]
pub(crate) struct Write<'c, 'q> {
    pub(crate) relation: &'c Relation,
    pub(crate) kind: WriteKind<'c, 'q>,
    /// What the answer shows; `None` if it shows nothing.
    pub(crate) returning: Option<Needs<'c>>,
}

#[derive(Debug)]
pub(crate) enum WriteKind<'c, 'q> {
    Insert {
        body: Body,
        fields: Fields<'c>,
        conflict: Option<Conflict<'c>>,
        /// What the body has to say of itself, for PUT.
        checks: Vec<Condition<'c, 'q>>,
        /// The key that tells rows that were inserted from those that were updated; empty if nobody asks.
        tells: Vec<&'c Ident>,
    },
    Update {
        body: Body,
        fields: Fields<'c>,
        conditions: Vec<Condition<'c, 'q>>,
    },
    Delete {
        conditions: Vec<Condition<'c, 'q>>,
    },
}

/// What happens to rows that are there.
#[derive(Debug)]
pub(crate) struct Conflict<'c> {
    pub(crate) columns: Vec<&'c Ident>,
    pub(crate) merge: bool,
}

const ROW: Tag = Tag('w', 0);
/// What a column may take in the text of a write: its name several times, its type and its default.
const BYTES_OF_COLUMN: usize = 1024;

impl Write<'_, '_> {
    /// Writes the statement that changes rows and returns them.
    pub(super) fn sql(self, sql: &mut Sql) {
        let Self { relation, kind, returning } = self;
        sql.make_room(relation.columns.len() * BYTES_OF_COLUMN);
        match kind {
            WriteKind::Insert { body, fields, conflict, checks, tells } => {
                sql.push("insert into ").name(&relation.name).push(" as ").tag(ROW);
                insert(sql, body, &fields, conflict.as_ref(), &checks);
                returned(sql, returning.as_ref());
                mark(sql, relation, &tells);
            }
            WriteKind::Update { fields, .. } if fields.is_empty() => {
                // There is nothing to set, so nothing changes; the columns of the answer are still there.
                sql.push("select ");
                columns(sql, ROW, returning.as_ref());
                sql.push(" from ").name(&relation.name).push(" as ").tag(ROW).push(" where false");
            }
            WriteKind::Update { body, fields, conditions } => {
                sql.push("update ").name(&relation.name).push(" as ").tag(ROW).push(" set ");
                sql.list(", ", &fields, |sql, field| {
                    sql.ident(field.name).push(" = ").column(BODY, field.name);
                });
                sql.push(" from ");
                body::rows(sql, body, &fields);
                limited_to(sql, ROW, &conditions);
                returned(sql, returning.as_ref());
            }
            WriteKind::Delete { conditions } => {
                sql.push("delete from ").name(&relation.name).push(" as ").tag(ROW);
                limited_to(sql, ROW, &conditions);
                returned(sql, returning.as_ref());
            }
        }
    }
}

fn insert(
    sql: &mut Sql,
    body: Body,
    fields: &Fields<'_>,
    conflict: Option<&Conflict<'_>>,
    checks: &[Condition<'_, '_>],
) {
    if !fields.is_empty() {
        sql.push(" (").list(", ", fields, |sql, field| _ = sql.ident(field.name)).push(")");
    }
    sql.push(" select ").list(", ", fields, |sql, field| _ = sql.column(BODY, field.name)).push(" from ");
    body::rows(sql, body, fields);
    if !checks.is_empty() {
        limited_to(sql, BODY, checks);
    } else if conflict.is_some() {
        // Without a condition, `on` would be read as the one of a join.
        sql.push(" where true");
    }
    let Some(conflict) = conflict else { return };
    sql.push(" on conflict (").list(", ", &conflict.columns, |sql, column| _ = sql.ident(column)).push(")");
    if !conflict.merge || fields.is_empty() {
        sql.push(" do nothing");
        return;
    }
    sql.push(" do update set ");
    sql.list(", ", fields, |sql, field| _ = sql.ident(field.name).push(" = excluded.").ident(field.name));
}

fn limited_to(sql: &mut Sql, tag: Tag, conditions: &[Condition<'_, '_>]) {
    if !conditions.is_empty() {
        sql.push(" where ");
        condition::own(sql, tag, conditions);
    }
}

/// Whether a row is new.
pub(super) const INSERTED: &str = "\"rest_inserted\"";

fn returned(sql: &mut Sql, returning: Option<&Needs<'_>>) {
    sql.push(" returning ");
    columns(sql, ROW, returning);
}

/// Adds to each row whether it is new: the statement still sees the relation as it was before. This needs no right that
/// `on conflict` does not need, and works for views and partitions, which have no system columns.
fn mark(sql: &mut Sql, relation: &Relation, key: &[&Ident]) {
    if key.is_empty() {
        return;
    }
    let before = Tag('v', 0);
    sql.push(", not exists (select from ").name(&relation.name).push(" as ").tag(before).push(" where ");
    sql.list(" and ", key, |sql, column| _ = sql.column(before, column).push(" = ").column(ROW, column));
    sql.push(") as ").push(INSERTED);
}

/// The columns that are needed above; a number if none is.
pub(super) fn columns(sql: &mut Sql, tag: Tag, needs: Option<&Needs<'_>>) {
    let Some(needs) = needs else {
        sql.push("1 as \"one\"");
        return;
    };
    if needs.all {
        sql.tag(tag).push(".*");
    }
    let listed = needs.columns.iter().filter(|need| !needs.all || need.computed);
    for (place, need) in listed.enumerate() {
        sql.push(if place > 0 || needs.all { ", " } else { "" });
        sql.column(tag, need.name);
    }
    if !needs.all && needs.columns.is_empty() {
        sql.push("1 as \"one\"");
    }
}
