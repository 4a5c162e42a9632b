//! Works on the plugin's own store and on the database, in one transaction.

use behalf_guests::store::{STEPS, step};
use behalf_guests::{Value, database, failed, json, text};

struct Component;

impl behalf_guests::Guest for Component {
    fn definitions() -> String {
        json!([behalf_guests::definition("entries_and_rows", STEPS)]).to_string()
    }

    fn call(_name: String, arguments: String) -> Result<String, behalf_guests::Error> {
        let arguments: Value = serde_json::from_str(&arguments).map_err(|error| failed(&error.to_string()))?;
        let steps = arguments["steps"].as_array().into_iter().flatten();
        let done: Vec<_> = steps.map(any_step).collect();
        if arguments["end"] == "error" { Err(failed("as told")) } else { Ok(Value::Array(done).to_string()) }
    }
}

behalf_guests::bindings::export_component!(Component with_types_in behalf_guests::bindings);

/// A step on the database, `{do: query|execute|commit|begin_scope|end_scope, sql?, keep?}`, or one on the store.
fn any_step(arguments: &Value) -> Value {
    let sql = text(arguments, "sql");
    let done = match text(arguments, "do") {
        "query" => database::query(sql, &[]).map(|rows| Value::from(rows.rows.len())),
        "execute" => database::execute(sql, &[]).map(Value::from),
        "commit" => database::commit().map(|()| Value::from("committed")),
        "begin_scope" => database::begin_scope().map(|()| Value::from("begun")),
        "end_scope" => database::end_scope(arguments["keep"] != false).map(|()| Value::from("ended")),
        _ => return step(arguments),
    };
    done.unwrap_or_else(|error| json!({"code": error.code, "message": error.message, "sqlstate": error.sqlstate}))
}
