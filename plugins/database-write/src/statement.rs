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

/// The columns that hold JSON.
#[derive(Default)]
pub(crate) struct JsonColumns(Vec<String>);

impl FromIterator<String> for JsonColumns {
    fn from_iter<T: IntoIterator<Item = String>>(columns: T) -> Self {
        Self(columns.into_iter().collect())
    }
}

impl JsonColumns {
    fn parameter(&self, column: &str, value: &Value) -> Parameter {
        let is_json = value.is_string() && self.0.iter().any(|name| name == column);
        if is_json { json_parameter(value) } else { Parameter::from(value) }
    }
}

/// Whether a column's type must be known to convert what it is given.
pub(crate) fn has_texts(arguments: &Arguments) -> bool {
    fn in_row(row: &Map<String, Value>) -> bool {
        row.values().any(Value::is_string)
    }
    let in_data = match &arguments.data {
        Value::Object(row) => in_row(row),
        Value::Array(rows) => rows.iter().filter_map(Value::as_object).any(in_row),
        _ => false,
    };
    in_data || arguments.conditions.as_ref().is_some_and(in_row)
}

/// The statement and its parameters.
pub(crate) fn build(arguments: &Arguments, json: &JsonColumns) -> Result<(String, Vec<Parameter>), Error> {
    let table = quote_table(&arguments.table)?;
    let mut statement = Statement { json, params: Vec::new() };
    let mut sql = match arguments.operation {
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
    if let Some(columns) = &arguments.returning {
        sql.push_str(" returning ");
        sql.push_str(&returned(columns)?);
    }
    if statement.params.len() > MAX_PARAMS {
        return Err(Error::invalid_arguments("Too many values for one statement; write fewer rows at a time."));
    }
    Ok((sql, statement.params))
}

/// The names of the columns, or all of them for `*`.
fn returned(columns: &[String]) -> Result<String, Error> {
    match columns {
        [] => Err(Error::invalid_arguments("returning names at least one column, or is [\"*\"] for all.")),
        [all] if all == "*" => Ok(String::from("*")),
        names => {
            let names = names.iter().map(|name| quote_identifier(name)).collect::<Result<Vec<_>, _>>()?;
            Ok(names.join(", "))
        }
    }
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
    json: &'a JsonColumns,
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
        self.params.push(self.json.parameter(column, value));
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
        match build(&arguments(given), &JsonColumns::default()) {
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
    fn a_string_becomes_what_its_column_holds() {
        let json = JsonColumns::from_iter([String::from("meta")]);
        let row = json!({"meta": "a", "tags": ["a"], "title": "a"});
        let given = arguments(json!({"table": "t", "operation": "update", "data": row, "where": {"meta": "b"}}));
        assert!(has_texts(&given));
        let (_, params) = build(&given, &json).expect("it can be built");
        // A JSON object's keys are sorted. What an array becomes is up to the host, which knows the parameter's type.
        let params: Vec<_> = params.iter().map(|param| format!("{param:?}")).collect();
        let text = |text: &str| format!("Value::Text({text:?})");
        assert_eq!(params, [text(r#""a""#), text(r#"["a"]"#), text("a"), text(r#""b""#)]);
        assert!(!has_texts(&arguments(json!({"table": "t", "operation": "insert", "data": [{"a": ["x"]}, {"b": 1}]}))));
    }

    #[test]
    fn what_is_returned_is_named() {
        let returned = |columns: Value| {
            built(json!({"table": "t", "operation": "delete", "where": {"id": 1}, "returning": columns})).0
        };
        assert_eq!(returned(json!(["*"])), r#"delete from "t" where "id" = $1 returning *"#);
        assert_eq!(returned(json!(["id", "a\""])), r#"delete from "t" where "id" = $1 returning "id", "a""""#);
        assert_eq!(returned(json!([])), "invalid_arguments");
        assert_eq!(returned(json!([""])), "invalid_arguments");
    }
}
