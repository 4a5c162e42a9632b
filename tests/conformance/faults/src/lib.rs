//! A plugin that keeps every promise, in parts that a broken one replaces. Each example breaks one promise and no other;
//! the suite has to name exactly that one.

pub use behalf_sdk::bindings;
pub use behalf_sdk::bindings::behalf::tool::{
    caller, database, knowledge, kv, log, memory, progress, settings, storage,
};
pub use behalf_sdk::bindings::exports::behalf::tool::tool::{Error, Guest};
pub use serde_json::{Value, json};

use database::Value as Parameter;

/// What a tool answers.
pub type Outcome = Result<Value, Error>;

/// The plugin; what is not replaced is sound.
pub trait Plugin {
    /// Its tools.
    fn definitions() -> String {
        definitions().to_string()
    }

    /// One call.
    fn call(name: &str, arguments: &str) -> Result<String, Error> {
        let arguments = object(arguments)?;
        let result = match name {
            "find_notes" => Self::find(&arguments),
            "add_note" => Self::add(&arguments),
            "set_budget" => Self::budget(&arguments),
            other => Err(wrong(&format!("There is no tool {other:?}."))),
        };
        result.map(|result| result.to_string())
    }

    /// `find_notes`: reads.
    fn find(arguments: &Value) -> Outcome {
        find(arguments)
    }

    /// `add_note`: adds a row.
    fn add(arguments: &Value) -> Outcome {
        add(arguments)
    }

    /// `set_budget`: changes a row, always to the same.
    fn budget(arguments: &Value) -> Outcome {
        budget(arguments)
    }
}

/// Makes a component of a plugin.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        struct Component;

        impl $crate::Guest for Component {
            fn definitions() -> String {
                <$plugin as $crate::Plugin>::definitions()
            }

            fn call(name: String, arguments: String) -> Result<String, $crate::Error> {
                <$plugin as $crate::Plugin>::call(&name, &arguments)
            }
        }

        $crate::bindings::export_component!(Component with_types_in $crate::bindings);
    };
}

/// The sound definitions.
pub fn definitions() -> Value {
    let object = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    json!([
        {
            "name": "find_notes", "title": "Find notes",
            "description": "The caller's notes whose title holds a text, oldest first.",
            "inputSchema": object(json!({
                "search": {"type": ["string", "null"], "maxLength": 200, "examples": ["mark"]},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
            }), json!([])),
            "outputSchema": object(json!({
                "notes": {"type": "array", "items": object(json!({
                    "title": {"type": "string"}, "body": {"type": "string"},
                }), json!(["title", "body"]))},
                "truncated": {"type": "boolean"},
            }), json!(["notes", "truncated"])),
            "annotations": {"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true},
        },
        {
            "name": "add_note", "title": "Add a note", "description": "Adds a note of the caller's.",
            "inputSchema": object(json!({
                "title": {"type": "string", "minLength": 1, "maxLength": 200, "examples": ["Shopping"]},
                "body": {"type": "string", "maxLength": 2000, "default": ""},
            }), json!(["title"])),
            "outputSchema": object(json!({"id": {"type": "string"}}), json!(["id"])),
            "annotations": {"readOnlyHint": false, "destructiveHint": false, "idempotentHint": false},
        },
        {
            "name": "set_budget", "title": "Set a budget", "description": "Sets the caller's monthly budget of a category.",
            "inputSchema": object(json!({
                "category": {"type": "string", "minLength": 1, "maxLength": 100, "examples": ["food"]},
                "monthly_limit": {"type": "number", "minimum": 0.01, "maximum": 1_000_000, "examples": [50]},
            }), json!(["category", "monthly_limit"])),
            "outputSchema": object(json!({"changed": {"type": "integer"}}), json!(["changed"])),
            "annotations": {"readOnlyHint": false, "destructiveHint": true, "idempotentHint": true},
        },
    ])
}

/// The sound `find_notes`.
pub fn find(arguments: &Value) -> Outcome {
    let rows = select(arguments)?;
    log::write(log::Level::Info, &format!("found {} notes", rows.rows.len()));
    progress::report(1, Some(1), Some("Looked through the notes"));
    Ok(found(&rows))
}

/// The statement of `find_notes`.
pub fn select(arguments: &Value) -> Result<database::RowSet, Error> {
    let (search, limit) = wanted(arguments)?;
    let sql = "select title, body from public.notes where $1::text is null or strpos(lower(title), lower($1::text)) > 0 \
               order by created_at, id limit $2::bigint";
    rows(sql, &[search.map_or(Parameter::Null, |text| Parameter::Text(text.to_owned())), Parameter::Integer(limit)])
}

/// What `find_notes` is asked for.
pub fn wanted(arguments: &Value) -> Result<(Option<&str>, i64), Error> {
    let search = match arguments.get("search") {
        None | Some(Value::Null) => None,
        Some(Value::String(search)) => Some(search.as_str()),
        Some(_) => return Err(wrong("The search must be text.")),
    };
    let limit = match arguments.get("limit") {
        None => 10,
        Some(limit) => limit
            .as_i64()
            .or_else(|| limit.as_f64().map(|float| float as i64))
            .filter(|limit| (1..=100).contains(limit))
            .ok_or_else(|| wrong("The limit must be a number from 1 to 100."))?,
    };
    Ok((search, limit))
}

/// The result of `find_notes`.
pub fn found(rows: &database::RowSet) -> Value {
    let text = |value: Option<&Parameter>| match value {
        Some(Parameter::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let notes: Vec<_> =
        rows.rows.iter().map(|row| json!({"title": text(row.first()), "body": text(row.get(1))})).collect();
    json!({"notes": notes, "truncated": rows.truncated})
}

/// The sound `add_note`.
pub fn add(arguments: &Value) -> Outcome {
    let (title, body) = (text(arguments, "title")?, arguments["body"].as_str().unwrap_or_default());
    let added = insert(title, body)?;
    match added.rows.first().and_then(|row| row.first()) {
        Some(Parameter::Text(id)) => Ok(json!({"id": id})),
        _ => Err(failed("The database did not say which note it made.")),
    }
}

/// The statement of `add_note`.
pub fn insert(title: &str, body: &str) -> Result<database::RowSet, Error> {
    rows(
        "insert into public.notes (title, body) values ($1, $2) returning id::text",
        &[parameter(title), parameter(body)],
    )
}

/// The sound `set_budget`.
pub fn budget(arguments: &Value) -> Outcome {
    let category = text(arguments, "category")?;
    let limit = arguments["monthly_limit"].as_f64().ok_or_else(|| wrong("The monthly limit must be a number."))?;
    let changed = execute(
        "insert into public.budgets (category, monthly_limit) values ($1, $2::float8::numeric) \
         on conflict (owner_id, category) do update set monthly_limit = excluded.monthly_limit",
        &[parameter(category), Parameter::Float(limit)],
    )?;
    Ok(json!({"changed": changed}))
}

/// A parameter that is text.
pub fn parameter(text: &str) -> Parameter {
    Parameter::Text(text.to_owned())
}

/// A statement that returns rows.
pub fn rows(sql: &str, params: &[Parameter]) -> Result<database::RowSet, Error> {
    database::query(sql, params).map_err(said)
}

/// A statement that changes rows.
pub fn execute(sql: &str, params: &[Parameter]) -> Result<u64, Error> {
    database::execute(sql, params).map_err(said)
}

/// The database's error in the tool's words.
pub fn said(error: database::Error) -> Error {
    let code = if matches!(error.code.as_str(), "refused" | "forbidden" | "not_granted") { "denied" } else { "failed" };
    Error { code: code.to_owned(), message: error.message, retryable: error.retryable }
}

/// Arguments, which are an object.
pub fn object(arguments: &str) -> Outcome {
    let arguments: Value =
        serde_json::from_str(arguments).map_err(|error| wrong(&format!("The arguments are no JSON: {error}.")))?;
    if arguments.is_object() { Ok(arguments) } else { Err(wrong("The arguments must be an object.")) }
}

/// An argument that has to be there.
pub fn text<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, Error> {
    arguments[name].as_str().ok_or_else(|| wrong(&format!("The {name} must be text.")))
}

/// The arguments are wrong.
pub fn wrong(message: &str) -> Error {
    Error { code: "invalid_arguments".to_owned(), message: message.to_owned(), retryable: false }
}

/// It did not work.
pub fn failed(message: &str) -> Error {
    Error { code: "failed".to_owned(), message: message.to_owned(), retryable: false }
}

/// Whether a call asks for the most notes: where a fault shows for some arguments only, it is these.
pub fn asks_for_most(arguments: &Value) -> bool {
    arguments["limit"].as_f64() == Some(100.0)
}

/// Every note there is, past row-level security: the fixture's owner made a mistake, and the plugin makes use of it.
pub fn everyones_titles() -> Result<String, Error> {
    let all = rows("select string_agg(title, ', ' order by title) from public.everyones_notes", &[])?;
    match all.rows.into_iter().next().and_then(|row| row.into_iter().next()) {
        Some(Parameter::Text(titles)) => Ok(titles),
        _ => Ok(String::new()),
    }
}

/// Keeps the machine busy, and does not let the compiler notice.
pub fn spin(rounds: u64) {
    for round in 0..rounds {
        std::hint::black_box(round);
    }
}
