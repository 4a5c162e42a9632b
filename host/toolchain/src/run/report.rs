//! What `behalf tool run` prints of a call.

use behalf_contracts::{CallOutcome, ToolCallError};
use behalf_problem::Problem as _;
use behalf_sandbox::CallError;
use serde_json::{Value, json};

use crate::printable::printable;

/// The result of a call, and its row of the audit log.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) result: Result<CallOutcome, ToolCallError>,
    /// The call's row of the audit log, where it has one.
    pub(super) row: Option<Value>,
    /// Lines of `plugin.toml` that would grant what the component imports and was not granted.
    pub(super) missing: Vec<&'static str>,
}

impl Report {
    /// The report as one object, for programs.
    pub(super) fn json(&self) -> Value {
        let mut report = match &self.result {
            Ok(outcome) => json!({ "result": outcome.result }),
            Err(error) => {
                json!({ "error": { "code": error.code(), "message": error.detail(), "fix": self.fix(error) } })
            }
        };
        if let (Some(row), Value::Object(report)) = (&self.row, &mut report) {
            report.insert("call".to_owned(), row.clone());
        }
        report
    }

    /// The report without the result, as lines for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(row) = &self.row {
            for (index, statement) in row["statements"].as_array().into_iter().flatten().enumerate() {
                let text = |key: &str| statement[key].as_str().unwrap_or("-");
                let rows = statement["rows"].as_u64().unwrap_or(0);
                let state =
                    statement["sqlstate"].as_str().map(|state| format!(", SQLSTATE {state}")).unwrap_or_default();
                lines.push(format!(
                    "statement {}: {}, {rows} rows{state} (fingerprint {})",
                    index + 1,
                    text("verdict"),
                    text("fingerprint")
                ));
            }
            lines.extend(
                row["egress"].as_array().into_iter().flatten().enumerate().map(|(index, one)| outside(index + 1, one)),
            );
            lines.push(summary(row));
        }
        if let Err(error) = &self.result {
            lines.push(format!("{}: {}", error.code(), printable(&error.detail())));
            lines.extend(self.fix(error).map(|fix| format!("  fix: {fix}")));
        }
        lines
    }

    /// How an author fixes a call that failed.
    fn fix(&self, error: &ToolCallError) -> Option<String> {
        match error {
            ToolCallError::Call { error: CallError::NotGranted(_), .. } => {
                (!self.missing.is_empty()).then(|| self.missing.join("; "))
            }
            other => fix(other).map(str::to_owned),
        }
    }
}

/// One thing that the call did beyond the database: a request, or an operation on objects, bases or memories.
fn outside(number: usize, entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().map(printable);
    let end = match (entry["status"].as_u64(), text("error")) {
        (Some(status), None) => format!("status {status}"),
        (Some(status), Some(error)) => format!("status {status}, {error}"),
        (None, Some(error)) => error,
        (None, None) => "ok".to_owned(),
    };
    if let (Some(method), Some(host)) = (text("method"), text("host")) {
        return format!("request {number}: {method} {host}:{}: {end}", entry["port"]);
    }
    let place = text("bucket").map(|bucket| format!(" {bucket}")).unwrap_or_default();
    format!("operation {number}: {}{place}: {end}", text("operation").unwrap_or_else(|| "-".to_owned()))
}

fn summary(row: &Value) -> String {
    let tenths = |key: &str| {
        let us = row[key].as_u64().unwrap_or(0);
        format!("{}.{} ms", us / 1000, us % 1000 / 100)
    };
    let memory = row["memory_bytes"].as_u64().unwrap_or(0).div_ceil(1024);
    format!(
        "{} {} as {} ({}): {}, of which the tool itself {}, {memory} KiB of memory",
        printable(row["tool"].as_str().unwrap_or("-")),
        row["outcome"].as_str().unwrap_or("-"),
        row["actor"].as_str().unwrap_or("-"),
        row["role"].as_str().unwrap_or("-"),
        tenths("duration_us"),
        tenths("guest_us"),
    )
}

/// How an author fixes a call that failed for another reason than a missing grant.
fn fix(error: &ToolCallError) -> Option<&'static str> {
    Some(match error {
        ToolCallError::NotFound => "behalf tool inspect FILE.wasm lists its tools",
        ToolCallError::Credits(_) => "grant credits with POST /api/credits, or set BEHALF_CREDITS=off",
        ToolCallError::Busy(_) => "run it again",
        ToolCallError::Arguments(_) => "behalf tool inspect FILE.wasm shows the schema",
        ToolCallError::Unavailable(_) => "behalf tool inspect FILE.wasm says whether it compiles",
        ToolCallError::Call { error, .. } => match error {
            CallError::Deadline(_) => "allow more with --grants '{…, \"limits\": {\"timeout_ms\": 30000}}'",
            CallError::Memory(_) => "allow more with --grants '{…, \"limits\": {\"memory_bytes\": 268435456}}'",
            CallError::Output(_) => {
                "return less, or allow more with --grants '{…, \"limits\": {\"output_bytes\": 4194304}}'"
            }
            CallError::NotJson => "let `call` return JSON, also for plain text: \"…\" in quotes",
            CallError::Trapped(_) => "the lines above that the tool printed may say where",
            _ => return None,
        },
    })
}
