//! The rows of a body: JSON that Postgres takes apart.

use super::builder::{Sql, Tag};
use crate::cache::{Expression, Ident, Name, Type};
use crate::request::payload::Shape;

/// JSON with what is known of it.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) json: Vec<u8>,
    pub(crate) shape: Shape,
    /// Whether keys that a row lacks have the defaults of their columns.
    pub(crate) defaults: bool,
}

/// The keys of a body, as columns.
pub(crate) type Fields<'c> = Vec<BodyField<'c>>;

/// A key of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyField<'c> {
    pub(crate) name: &'c Ident,
    pub(crate) kind: &'c Type,
    pub(crate) default: Option<&'c Expression>,
    /// The function that reads the JSON of a value, if its type does not.
    pub(crate) reader: Option<&'c Name>,
}

pub(super) const BODY: Tag = Tag('b', 0);
/// The body with values that are still to be read.
const UNREAD: Tag = Tag('b', 1);

/// The body as a source of rows, with an alias and a list of columns.
pub(super) fn rows(sql: &mut Sql, body: Body, fields: &[BodyField<'_>]) {
    let object = body.shape == Shape::Object;
    if fields.is_empty() {
        if object {
            sql.push("(values (1))");
        } else {
            sql.push("pg_catalog.json_array_elements(").param(body.json).push("::pg_catalog.json)");
        }
        sql.push(" as ").tag(BODY);
        return;
    }
    let is_read = fields.iter().all(|field| field.reader.is_none());
    if !is_read {
        sql.push("(select ");
        sql.list(", ", fields, |sql, field| read(sql, field));
        sql.push(" from ");
    }
    match (body.defaults, object) {
        (false, true) => {
            sql.push("pg_catalog.json_to_record(").param(body.json).push("::pg_catalog.json)");
        }
        (false, false) => {
            sql.push("pg_catalog.json_to_recordset(").param(body.json).push("::pg_catalog.json)");
        }
        (true, true) => {
            sql.push("pg_catalog.jsonb_to_record(");
            defaults(sql, fields);
            sql.push(" || ").param(body.json).push("::pg_catalog.jsonb)");
        }
        (true, false) => {
            sql.push("pg_catalog.jsonb_to_recordset((select coalesce(pg_catalog.jsonb_agg(");
            defaults(sql, fields);
            sql.push(" || \"d0\".\"value\"), '[]') from pg_catalog.jsonb_array_elements(");
            sql.param(body.json).push("::pg_catalog.jsonb) as \"d0\"(\"value\")))");
        }
    }
    sql.push(" as ").tag(if is_read { BODY } else { UNREAD }).push("(");
    sql.list(", ", fields, |sql, field| {
        sql.ident(field.name).push(" ");
        match field.reader {
            Some(_) => sql.push("pg_catalog.json"),
            None => sql.kind(field.kind),
        };
    });
    sql.push(")");
    if !is_read {
        sql.push(") as ").tag(BODY);
    }
}

/// A value of the body as its column has it.
fn read(sql: &mut Sql, field: &BodyField<'_>) {
    match field.reader {
        Some(function) => {
            sql.call(function).column(UNREAD, field.name).push(") as ").ident(field.name);
        }
        None => _ = sql.column(UNREAD, field.name),
    }
}

/// An object of the columns that have a default.
fn defaults(sql: &mut Sql, fields: &[BodyField<'_>]) {
    sql.push("pg_catalog.jsonb_build_object(");
    let defaults = fields.iter().filter_map(|field| Some((field.name, field.default?)));
    sql.list(", ", defaults, |sql, (name, default)| {
        sql.param(name.as_str()).push("::pg_catalog.text, ").expression(default);
    });
    sql.push(")");
}
