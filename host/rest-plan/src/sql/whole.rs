//! The statement of a whole request. It returns one row:
//!
//! 1. how many rows there are without limit and offset, if that is asked,
//! 2. how many rows the answer has,
//! 3. the body of the answer,
//! 4. the key of an inserted row as a JSON array, for the header `Location`,
//! 5. and 6. what functions set as `response.headers` and `response.status`,
//! 7. how many rows an upsert inserted.

use super::builder::{Sql, Statement, Tag};
use super::call::{CallPlan, SCALAR};
use super::read::{self, From, SOURCE};
use super::write::{INSERTED, Write, WriteKind};
use crate::cache::{Ident, Name, Routine};
use crate::error::RestError;
use crate::request::media::{PlanMedia, PlanOption};
use crate::tree::Node;

/// How rows become a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler<'c> {
    Array {
        stripped: bool,
    },
    Object {
        stripped: bool,
    },
    Csv,
    GeoJson(&'c Name),
    /// The value of the function that is called.
    Value,
    /// What an aggregate makes of all rows, or of rows of the type of a relation.
    Aggregate {
        function: &'c Name,
        row: Option<&'c Name>,
    },
    /// The rows are read as for a body, which is not made, for HEAD.
    Unsent,
    Nothing,
}

/// What the rows are.
#[derive(Debug)]
pub(crate) enum Main<'c, 'q> {
    Read,
    Write(Write<'c, 'q>),
    Call(CallPlan<'c>),
}

/// What becomes of the rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made<'c> {
    pub(crate) handler: Handler<'c>,
    /// Whether the body is bytes, which a row of text has as hexadecimal digits.
    pub(crate) is_bytes: bool,
}

/// How the statement counts, and what it tells besides the rows.
#[derive(Debug, Default)]
pub(crate) struct Extras<'c> {
    pub(crate) count: Counting,
    /// Columns of the key whose values `Location` shows.
    pub(crate) location: Vec<&'c Ident>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Counting {
    #[default]
    No,
    All,
    /// No more than so many.
    UpTo(u64),
}

const ROW: Tag = Tag('r', 0);
const ROWS: &str = "\"rest_rows\"";

/// Puts the statement together.
pub(crate) fn main(
    main: Main<'_, '_>,
    node: &Node<'_, '_>,
    made: Made<'_>,
    extras: &Extras<'_>,
    plan: Option<&PlanMedia>,
) -> Result<Statement, RestError> {
    let handler = made.handler;
    let mut sql = Sql::new();
    if let Some(plan) = plan {
        explain(&mut sql, plan);
    }
    let tells = matches!(&main, Main::Write(Write { kind: WriteKind::Insert { tells, .. }, .. }) if !tells.is_empty());
    let is_write = matches!(main, Main::Write(_));
    let from = match (&main, tells) {
        (Main::Read, _) => From::Relation,
        (_, true) => From::Marked,
        (_, false) => From::Source,
    };
    let routine = match &main {
        Main::Call(call) => Some(call.routine),
        Main::Read | Main::Write(_) => None,
    };
    let result = Shape {
        scalar: routine.is_some_and(Routine::is_scalar),
        single: routine.is_some_and(|routine| !routine.returns_set),
        computes: node.children.iter().any(|child| !child.silent) || node.is_represented(),
    };
    common(&mut sql, main);
    // CSV reads the rows twice: for the header and for the lines.
    let csv = handler == Handler::Csv;
    if csv {
        sql.push(if matches!(from, From::Relation) { "with " } else { ", " }).push(ROWS).push(" as (");
        read::rows(&mut sql, node, from);
        sql.push(") ");
    }
    sql.push("select ");
    total(&mut sql, node, from, extras.count);
    sql.push(if result.single { ", 1::pg_catalog.int8, " } else { ", pg_catalog.count(*), " });
    body(&mut sql, made, result);
    sql.push(", ");
    location(&mut sql, &extras.location);
    sql.push(", nullif(pg_catalog.current_setting('response.headers', true), '')");
    sql.push(", nullif(pg_catalog.current_setting('response.status', true), ''), ");
    if tells {
        sql.push("(select pg_catalog.count(*) from ").push(SOURCE).push(" where ").push(INSERTED).push(")");
    } else {
        sql.push("null::pg_catalog.int8");
    }
    sql.push(" from ");
    if csv {
        sql.push(ROWS);
    } else if is_write && handler == Handler::Nothing {
        sql.push(SOURCE);
    } else {
        sql.push("(");
        read::rows(&mut sql, node, from);
        sql.push(")");
    }
    sql.push(" as ").tag(ROW);
    sql.finish()
}

/// The rows of a write or a call, for all that follows.
fn common(sql: &mut Sql, main: Main<'_, '_>) {
    if matches!(main, Main::Read) {
        return;
    }
    sql.push("with ").push(SOURCE).push(" as (");
    match main {
        Main::Read => {}
        Main::Write(write) => write.sql(sql),
        Main::Call(call) => call.sql(sql),
    }
    sql.push(") ");
}

/// What the rows are: values of a function, at most one, rows with what Postgres has to compute for each.
#[derive(Clone, Copy)]
struct Shape {
    scalar: bool,
    single: bool,
    computes: bool,
}

fn total(sql: &mut Sql, node: &Node<'_, '_>, from: From<'_, '_, '_>, count: Counting) {
    match count {
        Counting::No => _ = sql.push("null::pg_catalog.int8"),
        // All rows are there, so they need not be counted twice.
        Counting::All if node.range.is_all() && !node.is_total() => _ = sql.push("pg_catalog.count(*)"),
        Counting::All | Counting::UpTo(_) => {
            sql.push("(select pg_catalog.count(*) from (");
            read::counted(sql, node, from);
            if let Counting::UpTo(most) = count {
                sql.push(" limit ").param(most.to_string());
            }
            sql.push(") as \"n0\")");
        }
    }
}

fn row(sql: &mut Sql, scalar: bool) {
    sql.tag(ROW).push(".");
    sql.push(if scalar { SCALAR } else { "*" });
}

fn body(sql: &mut Sql, made: Made<'_>, shape: Shape) {
    match made.handler {
        // Postgres would drop columns that nobody reads, and with them the check of the rights to tables and functions.
        Handler::Unsent if shape.computes => {
            sql.push("case when pg_catalog.count(").tag(ROW).push(".*) < 0 then '' end");
        }
        Handler::Unsent | Handler::Nothing => _ = sql.push("null::pg_catalog.text"),
        Handler::Array { stripped } if !shape.single => {
            sql.push("coalesce(");
            sql.push(if stripped { "pg_catalog.json_strip_nulls(" } else { "" });
            sql.push("pg_catalog.json_agg(");
            row(sql, shape.scalar);
            sql.push(if stripped { "))" } else { ")" }).push(", '[]')::pg_catalog.text");
        }
        Handler::Array { stripped } | Handler::Object { stripped } => {
            sql.push("coalesce(");
            sql.push(if stripped { "pg_catalog.json_strip_nulls(" } else { "" });
            sql.push("pg_catalog.json_agg(");
            row(sql, shape.scalar && shape.single);
            sql.push(")->0").push(if stripped { ")" } else { "" }).push(", 'null')::pg_catalog.text");
        }
        Handler::Csv => {
            sql.push("(select coalesce(pg_catalog.string_agg(\"k0\".\"key\", ','), '') from (select ");
            sql.push("pg_catalog.json_object_keys(pg_catalog.row_to_json(\"h0\".*)) as \"key\" from (select * from ");
            sql.push(ROWS).push(" limit 1) as \"h0\") as \"k0\") || E'\\n' || ");
            sql.push("coalesce(pg_catalog.string_agg(pg_catalog.substr((").tag(ROW).push(".*)::pg_catalog.text, 2, ");
            sql.push("pg_catalog.length((").tag(ROW).push(".*)::pg_catalog.text) - 2), E'\\n'), '')");
        }
        Handler::Value | Handler::Aggregate { .. } if made.is_bytes => {
            sql.push("pg_catalog.encode((");
            of_database(sql, made.handler, shape);
            sql.push(")::pg_catalog.bytea, 'hex')");
        }
        Handler::Value | Handler::Aggregate { .. } => of_database(sql, made.handler, shape),
        Handler::GeoJson(function) => {
            sql.push("pg_catalog.json_build_object('type', 'FeatureCollection', 'features', ");
            sql.push("coalesce(pg_catalog.json_agg(").name(function).push("(").tag(ROW);
            sql.push(".*)::pg_catalog.json), '[]'))::pg_catalog.text");
        }
    }
}

/// What a function or an aggregate of the database makes of the rows.
fn of_database(sql: &mut Sql, handler: Handler<'_>, shape: Shape) {
    match handler {
        Handler::Aggregate { function, row: Some(relation) } => {
            sql.call(function).push("(").tag(ROW).push(".*)::").name(relation).push(")");
        }
        Handler::Aggregate { function, row: None } => {
            sql.call(function);
            row(sql, shape.scalar && shape.single);
            sql.push(")");
        }
        // There is at most one row.
        _ => {
            sql.push("(pg_catalog.array_agg(");
            row(sql, true);
            sql.push("))[1]");
        }
    }
}

fn location(sql: &mut Sql, columns: &[&Ident]) {
    if columns.is_empty() {
        sql.push("null::pg_catalog.text");
        return;
    }
    sql.push("case when pg_catalog.count(*) = 1 then (pg_catalog.json_agg(pg_catalog.json_build_array(");
    sql.list(", ", columns, |sql, column| _ = sql.column(ROW, column));
    sql.push("))->0)::pg_catalog.text end");
}

fn explain(sql: &mut Sql, plan: &PlanMedia) {
    sql.push(if plan.json { "explain (format json" } else { "explain (format text" });
    for option in &plan.options {
        sql.push(match option {
            PlanOption::Analyze => ", analyze",
            PlanOption::Verbose => ", verbose",
            PlanOption::Settings => ", settings",
            PlanOption::Buffers => ", buffers",
            PlanOption::Wal => ", wal",
        });
    }
    sql.push(") ");
}

/// The statement that asks Postgres how many rows it expects.
pub(crate) fn explained(node: &Node<'_, '_>) -> Result<Statement, RestError> {
    let mut sql = Sql::new();
    sql.push("explain (format json) ");
    read::counted(&mut sql, node, From::Relation);
    sql.finish()
}
