//! Prints the statement of a request, for whoever works on the planner.
//!
//! ```text
//! psql -At … > cache.json                      # the row of SchemaCache::QUERY
//! cargo run -p behalf-rest-plan --example statements -- cache.json < requests
//! ```
//!
//! Each line of the input is `{"method", "path", "headers", "body"}` as JSON, and gets a line with the plan or the error.
//! A line `{"row": […], "explain": …}` after it gets the answer for that row.

use std::io::{BufRead, Write};

use behalf_rest_plan::{
    Answer, Body, Headers, Method, Options, Plan, Request, RestError, SchemaCache, Statement, Target, TxEnd,
};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name the file with the cache")?;
    let cache = SchemaCache::from_json(&std::fs::read(path)?)?;
    let (relations, relationships, functions) = cache.counts();
    eprintln!("{relations} relations, {relationships} relationships, {functions} functions, {} bytes", cache.bytes());
    let mut options =
        Options { aggregates: true, plan: true, tx_end: TxEnd::CommitAllowOverride, ..Options::default() };
    options.max_rows = std::env::args().nth(2).and_then(|rows| rows.parse().ok());
    let mut out = std::io::stdout().lock();
    let mut last: Option<Plan> = None;
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let shown = match (line.get("row"), &last) {
            (Some(row), Some(plan)) => answered(&cache, plan, row, line.get("explain").and_then(Value::as_str)),
            _ => match planned(&cache, &options, &line) {
                Ok(plan) => {
                    let shown = show(&plan);
                    last = Some(plan);
                    shown
                }
                Err(error) => failed(&error),
            },
        };
        writeln!(out, "{shown}")?;
        out.flush()?;
    }
    Ok(())
}

fn planned(cache: &SchemaCache, options: &Options, line: &Value) -> Result<Plan, RestError> {
    let text = |key: &str| line.get(key).and_then(Value::as_str);
    let header = |name: &str| line.get("headers")?.get(name)?.as_str();
    let path = text("path").unwrap_or("/");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy().into_owned();
    let target = match path.strip_prefix("rpc/") {
        Some(name) => Target::Function(name),
        None if path.is_empty() => Target::Root,
        None => Target::Relation(&path),
    };
    let method = match text("method") {
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        Some("PATCH") => Method::Patch,
        Some("PUT") => Method::Put,
        Some("DELETE") => Method::Delete,
        _ => Method::Get,
    };
    let headers = Headers {
        accept: header("Accept"),
        content_type: header("Content-Type"),
        prefer: header("Prefer").into_iter().collect(),
        range: header("Range"),
        accept_profile: header("Accept-Profile"),
        content_profile: header("Content-Profile"),
    };
    let body = text("body").unwrap_or_default().as_bytes();
    behalf_rest_plan::plan(cache, options, &Request { method, target, query, headers, body })
}

fn show(plan: &Plan) -> Value {
    let statement = |statement: &Statement| {
        let params: Vec<Option<String>> = statement
            .params()
            .iter()
            .map(|value| value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned()))
            .collect();
        json!({ "text": statement.text(), "params": params })
    };
    json!({
        "access": format!("{:?}", plan.access),
        "schema": plan.schema,
        "main": statement(&plan.main),
        "time_zone": plan.time_zone,
        "explain": plan.explain.as_ref().map(statement),
        "ends": format!("{:?}", plan.ends),
        "shape": plan.shape,
        "lines": plan.gives_lines(),
        "describes": plan.describes(),
        "may_refuse": plan.may_refuse(),
    })
}

fn answered(cache: &SchemaCache, plan: &Plan, row: &Value, explain: Option<&str>) -> Value {
    if let Some(error) = row.get("error") {
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        let error = behalf_rest_plan::DatabaseError {
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            detail: text("detail"),
            hint: text("hint"),
        };
        return failed(&RestError::from_database(&error, true));
    }
    let columns: Vec<Option<String>> =
        row.as_array().into_iter().flatten().map(|column| column.as_str().map(str::to_owned)).collect();
    let row: Vec<Option<&[u8]>> = columns.iter().map(|column| column.as_deref().map(str::as_bytes)).collect();
    let made = if plan.describes() {
        behalf_rest_plan::openapi(cache, plan, &row)
    } else {
        plan.answer(&row, explain.map(str::as_bytes))
    };
    match made {
        Ok(Answer { status, headers, body }) => {
            let body = match body {
                Body::Empty => String::new(),
                Body::Column(column) | Body::Hex(column) => columns.get(column).cloned().flatten().unwrap_or_default(),
                Body::Own(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            };
            json!({ "status": status, "headers": headers, "body": body })
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &RestError) -> Value {
    json!({
        "status": error.status,
        "headers": error.headers,
        "body": String::from_utf8_lossy(&error.body()),
        "refused": true,
    })
}
