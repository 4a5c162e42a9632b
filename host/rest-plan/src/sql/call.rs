//! Calls of functions.

use super::body::{self, BODY, Body, Fields};
use super::builder::{Sql, Tag};
use super::condition::array;
use super::needs::Needs;
use super::write::columns;
use crate::cache::{Input, Returns, Routine, Types};

/// A call with its arguments.
#[derive(Debug)]
pub(crate) struct CallPlan<'c> {
    pub(crate) routine: &'c Routine,
    pub(crate) types: &'c Types,
    pub(crate) arguments: Arguments<'c>,
    pub(crate) needs: Needs<'c>,
}

#[derive(Debug)]
pub(crate) enum Arguments<'c> {
    /// By name, each with its value as text.
    Named(Vec<(&'c Input, Argument)>),
    /// The whole body is the value of the only parameter, which has no name.
    Whole(&'c Input, Vec<u8>),
    /// By name, from the keys of JSON.
    Json { body: Body, fields: Fields<'c>, inputs: Vec<&'c Input> },
}

/// The value of one argument, as text of its type.
#[derive(Debug)]
pub(crate) enum Argument {
    One(Option<Vec<u8>>),
    /// The values of a variadic parameter.
    Many(Vec<String>),
}

const CALL: Tag = Tag('c', 0);

/// The one column of values that have none.
pub(super) const SCALAR: &str = "\"pgrst_scalar\"";

impl CallPlan<'_> {
    pub(super) fn sql(self, sql: &mut Sql) {
        let scalar = self.routine.is_scalar();
        // In `from`, a record would need a list of its columns.
        let record = matches!(self.routine.returns, Returns::Record);
        let open = if record { "(select " } else { "" };
        sql.push("select ");
        if scalar {
            sql.tag(CALL).push(".").push(SCALAR);
        } else {
            columns(sql, CALL, Some(&self.needs));
        }
        sql.push(" from ");
        match self.arguments {
            Arguments::Named(arguments) => {
                sql.push(open).name(&self.routine.name).push("(");
                sql.list(", ", arguments, |sql, (input, argument)| {
                    named(sql, input);
                    match argument {
                        Argument::One(value) => sql.nullable(value),
                        Argument::Many(values) => sql.param(array(&values)),
                    };
                    cast(sql, self.types, input);
                });
            }
            Arguments::Whole(input, body) => {
                sql.push(open).name(&self.routine.name).push("(").param(body);
                cast(sql, self.types, input);
            }
            Arguments::Json { body, fields, inputs } => {
                body::rows(sql, body, &fields);
                sql.push(", lateral ").push(open).name(&self.routine.name).push("(");
                sql.list(", ", inputs, |sql, input| {
                    named(sql, input);
                    sql.column(BODY, &input.name);
                });
            }
        }
        sql.push(")");
        if record {
            sql.push(" as ").push(SCALAR).push(")");
        }
        sql.push(" as ").tag(CALL);
        if scalar && !record {
            sql.push("(").push(SCALAR).push(")");
        }
    }
}

fn named(sql: &mut Sql, input: &Input) {
    sql.push(if input.variadic { "variadic " } else { "" });
    sql.ident(&input.name).push(" := ");
}

fn cast(sql: &mut Sql, types: &Types, input: &Input) {
    if let Some(kind) = types.get(input.kind) {
        sql.push("::").kind(kind);
    }
}
