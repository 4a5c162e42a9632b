//! Sends requests with the SDK's client, and says what came of them.

use behalf_guests::{Outcome, Tool, Value, json, text};
use behalf_sdk::http;

const TOOLS: &[Tool] = &[("web", "{base}: requests of every kind to a server that echoes", web)];

behalf_guests::export_guest!(TOOLS);

fn web(arguments: &Value) -> Outcome {
    let base = text(arguments, "base");
    let posted = http::post(format!("{base}/echo")).header("X-Made-By", "rust").json(&json!({"a": "é"})).send()?;
    let missing = http::get(format!("{base}/missing")).query("a", "b c").send()?;
    let denied = http::get("https://denied.example.com/").send();
    let denied = denied.map_or_else(|error| json!([error.code, error.message]), |_| json!("answered"));
    let posted = json!([posted.status, posted.text()]);
    Ok(json!({"posted": posted, "missing": missing.status, "denied": denied}))
}
