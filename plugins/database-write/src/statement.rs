//! From the tool's arguments to one statement.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use behalf_sdk::Error;
use behalf_sdk::database::{Value as Parameter, json_parameter, quote_identifier, quote_table};
use serde_json::{Map, Value};

use crate::{Arguments, Operation};

/// The protocol counts parameters in 16 bits.
const MAX_PARAMS: usize = 65_535;

/// Type names by column, as far as they are known.
#[derive(Default)]
pub(crate) struct ColumnTypes(Map<String, Value>);

impl ColumnTypes {
    /// Finds the table in the host's description of the database. Without a schema the first of that name is taken.
    pub(crate) fn of(described: &Value, schema: Option<&str>, table: &str) -> Self {
        let tables = described.as_array().into_iter().flatten();
        let table = tables
            .filter(|entry| entry["name"] == table)
            .find(|entry| schema.is_none_or(|schema| entry["schema"] == schema));
        let columns = table.and_then(|table| table["columns"].as_array()).into_iter().flatten();
        Self(columns.filter_map(|column| Some((column["name"].as_str()?.into(), column["type"].clone()))).collect())
    }

    fn parameter(&self, column: &str, value: &Value) -> Parameter {
        // An array may become a Postgres array, json or a vector; only the column's type tells which.
        let takes_json =
            matches!(self.0.get(column).and_then(Value::as_str), Some("json" | "jsonb" | "vector" | "halfvec"));
        if value.is_array() && takes_json { json_parameter(value) } else { Parameter::from(value) }
    }
}

/// Whether a column's type must be known to convert what it is given.
pub(crate) fn has_arrays(arguments: &Arguments) -> bool {
    fn in_row(row: &Map<String, Value>) -> bool {
        row.values().any(Value::is_array)
    }
    let in_data = match &arguments.data {
        Value::Object(row) => in_row(row),
        Value::Array(rows) => rows.iter().filter_map(Value::as_object).any(in_row),
        _ => false,
    };
    in_data || arguments.conditions.as_ref().is_some_and(in_row)
}

/// The statement and its parameters.
pub(crate) fn build(arguments: &Arguments, types: &ColumnTypes) -> Result<(String, Vec<Parameter>), Error> {
    let table = quote_table(&arguments.table)?;
    let mut statement = Statement { types, params: Vec::new() };
    let sql = match arguments.operation {
        Operation::Insert => {
            no_conditions(arguments)?;
            statement.insert(&table, &rows(&arguments.data)?)?
        }
        Operation::Update => {
            let changes = match &arguments.data {
                Value::Object(changes) if !changes.is_empty() => changes,
                _ => {
                    return Err(Error::invalid_arguments("An update needs data: an object of the columns to change."));
                }
            };
            let changes = statement.equalities(changes, ", ", false)?;
            let conditions = statement.equalities(conditions(arguments)?, " and ", true)?;
            format!("update {table} set {changes} where {conditions}")
        }
        Operation::Delete => {
            let conditions = statement.equalities(conditions(arguments)?, " and ", true)?;
            format!("delete from {table} where {conditions}")
        }
    };
    if statement.params.len() > MAX_PARAMS {
        return Err(Error::invalid_arguments("Too many values for one statement; write fewer rows at a time."));
    }
    Ok((sql, statement.params))
}

fn rows(data: &Value) -> Result<Vec<&Map<String, Value>>, Error> {
    let rows: Option<Vec<_>> = match data {
        Value::Object(row) => Some(vec![row]),
        Value::Array(rows) => rows.iter().map(Value::as_object).collect(),
        _ => None,
    };
    rows.filter(|rows| !rows.is_empty())
        .ok_or_else(|| Error::invalid_arguments("An insert needs data: an object, or an array of objects."))
}

/// An update or delete of a whole table is more likely a slip than a wish.
fn conditions(arguments: &Arguments) -> Result<&Map<String, Value>, Error> {
    arguments.conditions.as_ref().filter(|conditions| !conditions.is_empty()).ok_or_else(|| {
        Error::invalid_arguments("An update or delete needs where: an object with at least one column and its value.")
    })
}

fn no_conditions(arguments: &Arguments) -> Result<(), Error> {
    match &arguments.conditions {
        Some(conditions) if !conditions.is_empty() => {
            Err(Error::invalid_arguments("An insert takes no where; to change existing rows use update."))
        }
        _ => Ok(()),
    }
}

struct Statement<'a> {
    types: &'a ColumnTypes,
    params: Vec<Parameter>,
}

impl Statement<'_> {
    fn insert(&mut self, table: &str, rows: &[&Map<String, Value>]) -> Result<String, Error> {
        let mut columns: Vec<&String> = Vec::new();
        for column in rows.iter().flat_map(|row| row.keys()) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        match (columns.is_empty(), rows.len()) {
            (true, 1) => return Ok(format!("insert into {table} default values")),
            (true, _) => {
                return Err(Error::invalid_arguments("Several rows cannot all be empty."));
            }
            (false, _) => {}
        }
        let names = columns.iter().map(|column| quote_identifier(column)).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let values: Vec<_> = columns
                    .iter()
                    .map(|column| {
                        row.get(*column).map_or_else(|| String::from("default"), |value| self.place(column, value))
                    })
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        Ok(format!("insert into {table} ({}) values {}", names.join(", "), rows.join(", ")))
    }

    /// `"a" = $1` for each entry; in a condition, nothing equals NULL and it must be asked for differently.
    fn equalities(
        &mut self,
        entries: &Map<String, Value>,
        separator: &str,
        is_condition: bool,
    ) -> Result<String, Error> {
        let equalities = entries
            .iter()
            .map(|(column, value)| {
                let name = quote_identifier(column)?;
                Ok(if is_condition && value.is_null() {
                    format!("{name} is null")
                } else {
                    format!("{name} = {}", self.place(column, value))
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(equalities.join(separator))
    }

    fn place(&mut self, column: &str, value: &Value) -> String {
        self.params.push(self.types.parameter(column, value));
        format!("${}", self.params.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(arguments: Value) -> Arguments {
        serde_json::from_value(arguments).expect("the arguments fit")
    }

    /// The statement and its parameters, or the error's code.
    fn built(given: Value) -> (String, Vec<String>) {
        match build(&arguments(given), &ColumnTypes::default()) {
            Ok((sql, params)) => (sql, params.iter().map(|param| format!("{param:?}")).collect()),
            Err(error) => (error.code, Vec::new()),
        }
    }

    #[test]
    fn rows_with_different_columns_are_inserted_together() {
        let (sql, params) = built(json!({
            "table": "public.notes", "operation": "insert",
            "data": [{"title": "a"}, {"body": null, "title": "b"}],
        }));
        assert_eq!(sql, r#"insert into "public"."notes" ("title", "body") values ($1, default), ($2, $3)"#);
        assert_eq!(params, [r#"Value::Text("a")"#, r#"Value::Text("b")"#, "Value::Null"]);
    }

    #[test]
    fn an_empty_row_is_all_defaults() {
        let (sql, _) = built(json!({"table": "notes", "operation": "insert", "data": {}}));
        assert_eq!(sql, r#"insert into "notes" default values"#);
    }

    #[test]
    fn an_update_changes_what_its_conditions_find() {
        let (sql, params) = built(json!({
            "table": "notes", "operation": "update",
            "data": {"body": null, "title": "b"}, "where": {"id": 7, "title": null},
        }));
        assert_eq!(sql, r#"update "notes" set "body" = $1, "title" = $2 where "id" = $3 and "title" is null"#);
        assert_eq!(params, ["Value::Null", r#"Value::Text("b")"#, "Value::Integer(7)"]);
    }

    #[test]
    fn a_delete_needs_a_condition() {
        let (sql, _) = built(json!({"table": "notes", "operation": "delete", "where": {"id": 1}}));
        assert_eq!(sql, r#"delete from "notes" where "id" = $1"#);
        for conditions in [json!({}), json!(null)] {
            let (code, _) = built(json!({"table": "notes", "operation": "delete", "where": conditions}));
            assert_eq!(code, "invalid_arguments");
        }
    }

    #[test]
    fn what_does_not_belong_is_an_error() {
        for given in [
            json!({"table": "notes", "operation": "insert"}),
            json!({"table": "notes", "operation": "insert", "data": []}),
            json!({"table": "notes", "operation": "insert", "data": [1]}),
            json!({"table": "notes", "operation": "insert", "data": [{}, {}]}),
            json!({"table": "notes", "operation": "insert", "data": {"a": 1}, "where": {"a": 1}}),
            json!({"table": "notes", "operation": "update", "data": {}, "where": {"a": 1}}),
            json!({"table": "notes", "operation": "update", "data": {"a": 1}}),
            json!({"table": "", "operation": "insert", "data": {"a": 1}}),
            json!({"table": "notes", "operation": "insert", "data": {"": 1}}),
            json!({"table": "notes", "operation": "insert", "data": vec![json!({"a": 1}); 65_536]}),
        ] {
            assert_eq!(built(given).0, "invalid_arguments");
        }
    }

    #[test]
    fn a_name_stays_a_name() {
        let (sql, _) = built(json!({
            "table": "notes\" where true --", "operation": "update",
            "data": {"a\" = '', \"b": 1}, "where": {"x\" or true --": 1},
        }));
        let expected = r#"update "notes"" where true --" set "a"" = '', ""b" = $1 where "x"" or true --" = $2"#;
        assert_eq!(sql, expected);
    }

    #[test]
    fn an_array_becomes_what_its_column_holds() {
        let described = json!([{"schema": "public", "name": "t", "columns": [
            {"name": "tags", "type": "_text"}, {"name": "meta", "type": "jsonb"},
        ]}]);
        let types = ColumnTypes::of(&described, Some("public"), "t");
        let given = arguments(json!({"table": "t", "operation": "insert", "data": {"tags": ["a"], "meta": ["a"]}}));
        assert!(has_arrays(&given));
        let (_, params) = build(&given, &types).expect("it can be built");
        // A JSON object's keys are sorted.
        let params: Vec<_> = params.iter().map(|param| format!("{param:?}")).collect();
        assert_eq!(params, [r#"Value::Text("[\"a\"]")"#, r#"Value::Text("{\"a\"}")"#]);
    }
}
