//! Attacks through the host, as calls of a tool.

use behalf_tests::{App, User};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// What a caller of the host sees.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Headers and body as they came.
    pub(super) bytes: Vec<u8>,
    pub(super) json: Value,
}

impl Reply {
    /// `error.code` of the statements that failed.
    pub(super) fn codes(&self) -> Vec<&str> {
        let outcomes = self.json["result"].as_array().into_iter().flatten();
        outcomes.filter_map(|outcome| outcome["error"]["code"].as_str()).collect()
    }

    pub(super) fn call_id(&self) -> Uuid {
        self.json["call_id"].as_str().unwrap_or_else(|| panic!("{}", self.json)).parse().unwrap()
    }
}

/// Has the probe run statements in one call.
pub(super) async fn through_host(app: &App, user: &User, steps: &[String]) -> Reply {
    let statements: Vec<_> = steps.iter().map(|sql| json!({ "sql": sql })).collect();
    call(app, user, "sql_many", &json!({ "statements": statements })).await
}

/// Calls a tool and keeps all of the answer.
pub(super) async fn call(app: &App, user: &User, tool: &str, arguments: &Value) -> Reply {
    let path = format!("/api/tools/{tool}/call");
    let response =
        app.request(user, Method::POST, &path).json(&json!({ "arguments": arguments })).send().await.unwrap();
    let status = response.status().as_u16();
    let mut bytes = format!("{:?}\n", response.headers()).into_bytes();
    let body = response.bytes().await.unwrap();
    bytes.extend_from_slice(&body);
    Reply { status, bytes, json: serde_json::from_slice(&body).unwrap_or_default() }
}
