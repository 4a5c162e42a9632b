//! The main probe of the walls around a tool's SQL: runs whatever it is told to, and says exactly what came of it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use behalf_guests::{Outcome, Tool, Value, caller, database, failed, json, number, settings, spin, text};

const TOOLS: &[Tool] = &[
    (
        "sql",
        "{mode: query|execute|commit|begin_scope|end_scope|wait, sql, params?, keep?, ms?}: one step, or its error",
        sql,
    ),
    ("sql_many", "{statements: [as `sql`], end?: ok|error|trap|spin}: several in one call", sql_many),
    ("values", "{sql, params: [tagged]}: as `sql`, with every value tagged by its variant", values),
    ("describe", "{schema?}: the host's description of the database", describe),
    (
        "swallow_error",
        "{sql, mode?, then?}: runs a failing statement, ignores the error, and answers ok",
        swallow_error,
    ),
    ("commit_then_fail", "{sql}: writes, commits, answers with an error", commit_then_fail),
    ("write_then_error", "{sql}: writes, answers with an error", write_then_error),
    ("write_then_trap", "{sql}: writes, traps", write_then_trap),
    ("write_then_spin", "{sql}: writes, never ends", write_then_spin),
    ("write_then_exit", "{sql}: writes, ends the program with status 0", write_then_exit),
    ("write_then_invalid", "{sql}: writes, answers with something that is not JSON", write_then_invalid),
    (
        "write_then_misfit",
        "{sql, result}: writes, answers with a result of any form where its schema asks for a number n",
        write_then_misfit,
    ),
    ("wait_between", "{first, wait_ms, second}: leaves its transaction idle", wait_between),
    ("query_forever", "{sql?}: short queries without end", query_forever),
    ("long_query", "{sql?}: one query that would take hours", long_query),
    ("many_queries", "{count, sql?}: so many queries, errors counted by code", many_queries),
    ("many_params", "{count}: one query with so many parameters", many_params),
    ("large_sql", "{bytes, mode?: literal|or|parentheses}: one statement of that size", large_sql),
    ("large_param", "{bytes}: one query with a parameter of that size", large_param),
    ("identity", "{}: who the call is for, by whom, and how long it may take", identity),
    ("remember", "{}: whom the instance saw before, and whom now", remember),
    ("settings", "{}: the plugin's settings", all_settings),
    ("clock", "{}: what the clocks say", clock),
    ("random", "{}: random numbers", random),
    ("print", "{stdout?, stderr?}: writes to the standard streams", print),
    ("sleep", "{ms}: waits", sleep),
];

/// The transaction's last word, apart from JSON: only `write_then_invalid` says something else.
struct Component;

impl behalf_guests::Guest for Component {
    fn definitions() -> String {
        let mut definitions: Vec<_> =
            TOOLS.iter().map(|(name, about, _)| behalf_guests::definition(name, about)).collect();
        let number = json!({"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]});
        for definition in definitions.iter_mut().filter(|definition| definition["name"] == "write_then_misfit") {
            definition["outputSchema"] = number.clone();
        }
        Value::Array(definitions).to_string()
    }

    fn call(name: String, arguments: String) -> Result<String, behalf_guests::Error> {
        let result = behalf_guests::call(TOOLS, &name, &arguments)?;
        Ok(if name == "write_then_invalid" { String::from("{\"not\": json") } else { result })
    }
}

behalf_guests::bindings::export_component!(Component with_types_in behalf_guests::bindings);

fn sql(arguments: &Value) -> Outcome {
    Ok(alone(arguments, plain))
}

fn sql_many(arguments: &Value) -> Outcome {
    let statements = arguments["statements"].as_array().into_iter().flatten();
    let outcomes: Vec<_> = statements.map(|statement| run(statement, plain)).collect();
    match text(arguments, "end") {
        "error" => Err(failed(&Value::Array(outcomes).to_string())),
        "trap" => std::process::abort(),
        "spin" => spin(),
        _ => Ok(Value::Array(outcomes)),
    }
}

fn values(arguments: &Value) -> Outcome {
    Ok(alone(arguments, tagged))
}

/// One step. A statement has a scope of its own, so that its error can be the answer of a call that goes well.
fn alone(arguments: &Value, show: fn(&database::Value) -> Value) -> Value {
    if !matches!(text(arguments, "mode"), "" | "query" | "execute") {
        return run(arguments, show);
    }
    if let Err(error) = database::begin_scope() {
        return error_record(&error);
    }
    let answer = run(arguments, show);
    let has_failed = answer["error"].is_object();
    match database::end_scope(!has_failed) {
        Err(error) if !has_failed => error_record(&error),
        _ => answer,
    }
}

fn run(arguments: &Value, show: fn(&database::Value) -> Value) -> Value {
    let sql = text(arguments, "sql");
    let params: Vec<_> = arguments["params"].as_array().into_iter().flatten().map(parameter).collect();
    match text(arguments, "mode") {
        "execute" => match database::execute(sql, &params) {
            Ok(rows) => json!({"rows_affected": rows}),
            Err(error) => error_record(&error),
        },
        "commit" => match database::commit() {
            Ok(()) => json!({"committed": true}),
            Err(error) => error_record(&error),
        },
        "begin_scope" => match database::begin_scope() {
            Ok(()) => json!({"scope": "open"}),
            Err(error) => error_record(&error),
        },
        "end_scope" => match database::end_scope(arguments["keep"].as_bool().unwrap_or_default()) {
            Ok(()) => json!({"scope": "ended"}),
            Err(error) => error_record(&error),
        },
        "wait" => {
            std::thread::sleep(Duration::from_millis(number(arguments, "ms", 1000)));
            json!({"waited": true})
        }
        _ => match database::query(sql, &params) {
            Ok(rows) => row_set(&rows, show),
            Err(error) => error_record(&error),
        },
    }
}

fn row_set(set: &database::RowSet, show: fn(&database::Value) -> Value) -> Value {
    let columns: Vec<_> =
        set.columns.iter().map(|column| json!({"name": column.name, "type_name": column.type_name})).collect();
    let rows: Vec<Vec<_>> = set.rows.iter().map(|row| row.iter().map(show).collect()).collect();
    json!({"columns": columns, "rows": rows, "truncated": set.truncated})
}

fn error_record(error: &database::Error) -> Value {
    json!({"error": {
        "code": error.code,
        "sqlstate": error.sqlstate,
        "message": error.message,
        "retryable": error.retryable,
    }})
}

/// An object with one key that names a variant is that variant; everything else goes the SDK's way.
fn parameter(value: &Value) -> database::Value {
    let entry = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
    let Some((tag, inner)) = entry else {
        return database::Value::from(value);
    };
    match tag.as_str() {
        "null" => database::Value::Null,
        "boolean" => database::Value::Boolean(inner.as_bool().unwrap_or_default()),
        "integer" => database::Value::Integer(inner.as_i64().unwrap_or_default()),
        "float" => database::Value::Float(match inner.as_str() {
            Some(name) => name.parse().unwrap_or(f64::NAN),
            None => inner.as_f64().unwrap_or_default(),
        }),
        "text" => database::Value::Text(String::from(inner.as_str().unwrap_or_default())),
        "bytes" => database::Value::Bytes(serde_json::from_value(inner.clone()).unwrap_or_default()),
        "vector" => database::Value::Vector(serde_json::from_value(inner.clone()).unwrap_or_default()),
        _ => database::Value::from(value),
    }
}

fn tagged(value: &database::Value) -> Value {
    match value {
        database::Value::Null => json!({"null": null}),
        database::Value::Boolean(value) => json!({"boolean": value}),
        database::Value::Integer(value) => json!({"integer": value}),
        // JSON has no word for what is not finite.
        database::Value::Float(value) if !value.is_finite() => json!({"float": value.to_string()}),
        database::Value::Float(value) => json!({"float": value}),
        database::Value::Text(value) => json!({"text": value}),
        database::Value::Bytes(value) => json!({"bytes": value}),
        database::Value::Vector(value) => json!({"vector": value}),
    }
}

fn plain(value: &database::Value) -> Value {
    tagged(value).as_object().and_then(|object| object.values().next().cloned()).unwrap_or_default()
}

fn describe(arguments: &Value) -> Outcome {
    Ok(match database::describe(arguments["schema"].as_str()) {
        Ok(described) => {
            json!({"description": serde_json::from_str::<Value>(&described).unwrap_or(described.into())})
        }
        Err(error) => error_record(&error),
    })
}

fn swallow_error(arguments: &Value) -> Outcome {
    let first = run(arguments, plain);
    let then = arguments["then"].as_str().map(|sql| run(&json!({"mode": "execute", "sql": sql}), plain));
    Ok(json!({"swallowed": first, "then": then}))
}

fn write(arguments: &Value) -> Result<u64, behalf_guests::Error> {
    database::execute(text(arguments, "sql"), &[]).map_err(behalf_sdk::Error::from)
}

fn commit_then_fail(arguments: &Value) -> Outcome {
    write(arguments)?;
    database::commit().map_err(behalf_sdk::Error::from)?;
    Err(failed("after the commit"))
}

fn write_then_error(arguments: &Value) -> Outcome {
    write(arguments)?;
    Err(failed("after the write"))
}

fn write_then_trap(arguments: &Value) -> Outcome {
    write(arguments)?;
    std::process::abort()
}

fn write_then_spin(arguments: &Value) -> Outcome {
    write(arguments)?;
    spin()
}

fn write_then_exit(arguments: &Value) -> Outcome {
    write(arguments)?;
    std::process::exit(0)
}

fn write_then_invalid(arguments: &Value) -> Outcome {
    write(arguments)?;
    Ok(Value::Null)
}

fn write_then_misfit(arguments: &Value) -> Outcome {
    write(arguments)?;
    Ok(arguments["result"].clone())
}

fn wait_between(arguments: &Value) -> Outcome {
    let first = run(&json!({"mode": "query", "sql": text(arguments, "first")}), plain);
    std::thread::sleep(Duration::from_millis(number(arguments, "wait_ms", 1000)));
    let second = run(&json!({"mode": "query", "sql": text(arguments, "second")}), plain);
    Ok(json!({"first": first, "second": second}))
}

fn query_forever(arguments: &Value) -> Outcome {
    let sql = arguments["sql"].as_str().unwrap_or("select 1");
    loop {
        // Whatever it says, again: a guest that does not know when to stop.
        let _ = database::query(sql, &[]);
    }
}

fn long_query(arguments: &Value) -> Outcome {
    let default = "select count(*) from generate_series(1, 1000000) a, generate_series(1, 100000) b";
    let sql = arguments["sql"].as_str().unwrap_or(default);
    Ok(run(&json!({"sql": sql}), plain))
}

fn many_queries(arguments: &Value) -> Outcome {
    let sql = arguments["sql"].as_str().unwrap_or("select 1");
    let mut codes = BTreeMap::<String, u64>::new();
    for _ in 0..number(arguments, "count", 100_000) {
        let code = database::query(sql, &[]).map_or_else(|error| error.code, |_| String::from("ok"));
        *codes.entry(code).or_default() += 1;
    }
    Ok(json!(codes))
}

fn many_params(arguments: &Value) -> Outcome {
    let count = number(arguments, "count", 100_000);
    let params: Vec<_> = (0..count).map(|_| database::Value::Integer(1)).collect();
    let places: Vec<_> = (1..=count).map(|place| format!("${place}::int")).collect();
    Ok(match database::query(&format!("select {}", places.join(" + ")), &params) {
        Ok(rows) => row_set(&rows, plain),
        Err(error) => error_record(&error),
    })
}

fn large_sql(arguments: &Value) -> Outcome {
    let bytes = usize::try_from(number(arguments, "bytes", 1 << 20)).unwrap_or(usize::MAX);
    let sql = match text(arguments, "mode") {
        "or" => format!("select true{}", " or true".repeat(bytes / 8)),
        "parentheses" => format!("select {}1{}", "(".repeat(bytes / 2), ")".repeat(bytes / 2)),
        _ => format!("select length('{}')", "x".repeat(bytes)),
    };
    Ok(run(&json!({"sql": sql}), plain))
}

fn large_param(arguments: &Value) -> Outcome {
    let bytes = usize::try_from(number(arguments, "bytes", 1 << 20)).unwrap_or(usize::MAX);
    let params = [database::Value::Text("x".repeat(bytes))];
    Ok(match database::query("select length($1::text)", &params) {
        Ok(rows) => row_set(&rows, plain),
        Err(error) => error_record(&error),
    })
}

fn identity(_arguments: &Value) -> Outcome {
    let identity = caller::get_identity();
    Ok(json!({
        "identity": {
            "subject": identity.subject,
            "role": identity.role,
            "claims": serde_json::from_str::<Value>(&identity.claims).unwrap_or_default(),
        },
        "call": serde_json::from_str::<Value>(&caller::get_call()).unwrap_or_default(),
        "remaining_ms": caller::remaining_ms(),
    }))
}

/// Whom this instance worked for last. No instance may ever find somebody here.
static LAST_SEEN: Mutex<Option<String>> = Mutex::new(None);

fn remember(_arguments: &Value) -> Outcome {
    let now = caller::get_identity();
    let now = format!("{}/{}", now.role, now.subject.unwrap_or_default());
    let mut last_seen = LAST_SEEN.lock().map_err(|error| failed(&error.to_string()))?;
    let before = last_seen.replace(now.clone());
    Ok(json!({"before": before, "now": now}))
}

fn all_settings(_arguments: &Value) -> Outcome {
    Ok(serde_json::from_str(&settings::get_all()).unwrap_or_default())
}

fn clock(_arguments: &Value) -> Outcome {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    let slept = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(json!({"unix_seconds": now.as_secs(), "slept_ms": slept}))
}

fn random(_arguments: &Value) -> Outcome {
    Ok(json!([RandomState::new().hash_one(0), RandomState::new().hash_one(0)]))
}

fn print(arguments: &Value) -> Outcome {
    println!("{}", text(arguments, "stdout"));
    eprintln!("{}", text(arguments, "stderr"));
    Ok(json!({}))
}

fn sleep(arguments: &Value) -> Outcome {
    std::thread::sleep(Duration::from_millis(number(arguments, "ms", 1000)));
    Ok(json!({}))
}
