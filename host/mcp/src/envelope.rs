//! The form of a message, checked before rmcp reads it: rmcp answers what it cannot read with a text and the status of another fault.
//! The codes are those of JSON-RPC 2.0 (<https://www.jsonrpc.org/specification#error_object>).

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rmcp::model::{CallToolRequestParams, ErrorCode, InitializeRequestParams, PaginatedRequestParams, RequestId};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What is wrong with a message.
#[derive(Debug)]
pub(crate) struct Fault {
    code: ErrorCode,
    message: String,
    /// The message's id, where it has one.
    id: Value,
    status: StatusCode,
}

/// The members of a message.
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    jsonrpc: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    id: Option<Value>,
    method: Option<Value>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl Fault {
    /// A request that cannot be answered as it was sent, with the HTTP status that says so too.
    pub(crate) fn request(status: StatusCode, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::INVALID_REQUEST, message: message.into(), id: Value::Null, status }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let error = json!({ "code": self.code.0, "message": self.message });
        let body = json!({ "jsonrpc": "2.0", "id": self.id, "error": error });
        (self.status, Json(body)).into_response()
    }
}

/// Checks a message. `is_stateless` says that it is of a revision without sessions, which gives wrong parameters a status of their own.
pub(crate) fn check(body: &[u8], is_stateless: bool) -> Result<(), Fault> {
    let bad = |code, message: &str, id: Value| Fault {
        code,
        message: message.to_owned(),
        id,
        status: StatusCode::BAD_REQUEST,
    };
    let text =
        std::str::from_utf8(body).map_err(|_| bad(ErrorCode::PARSE_ERROR, "the body is not UTF-8", Value::Null))?;
    let whole: &RawValue = serde_json::from_str(text)
        .map_err(|error| bad(ErrorCode::PARSE_ERROR, &format!("the body is not JSON: {error}"), Value::Null))?;
    let invalid = |message: &str, id: Value| bad(ErrorCode::INVALID_REQUEST, message, id);
    if whole.get().starts_with('[') {
        return Err(invalid("send one message at a time: there are no batches", Value::Null));
    }
    let envelope: Envelope<'_> = serde_json::from_str(whole.get())
        .map_err(|_| invalid("a message is a JSON object, and names each of its members once", Value::Null))?;
    let id = envelope.id.clone().unwrap_or_default();
    let known = if RequestId::deserialize(&id).is_ok() { id.clone() } else { Value::Null };
    if envelope.jsonrpc != Some(json!("2.0")) {
        return Err(invalid(r#"jsonrpc must be "2.0""#, known));
    }
    if envelope.method.is_none() && (envelope.result.is_some() || envelope.error.is_some()) {
        return Err(invalid("this server asks its clients nothing, so it takes no answers", known));
    }
    let Some(Value::String(method)) = &envelope.method else {
        return Err(invalid("method must be a string", known));
    };
    if envelope.id.is_some() && known.is_null() {
        return Err(invalid("id must be a string or a whole number", Value::Null));
    }
    if envelope.id.is_none() {
        // Nobody waits for an answer to a notification.
        return Ok(());
    }
    check_params(method, envelope.params).map_err(|fault| Fault {
        code: ErrorCode::INVALID_PARAMS,
        message: format!("params of {method}: {fault}"),
        id: known,
        status: if is_stateless { StatusCode::BAD_REQUEST } else { StatusCode::OK },
    })
}

/// What is wrong with the parameters of a method that this server knows.
fn check_params(method: &str, params: Option<&RawValue>) -> Result<(), String> {
    if params.is_some_and(|params| !params.get().starts_with('{')) {
        return Err("it must be an object".to_owned());
    }
    match method {
        "initialize" => read::<InitializeRequestParams>(params),
        "tools/call" => read::<CallToolRequestParams>(params),
        "tools/list" if params.is_some() => read::<PaginatedRequestParams>(params),
        _ => Ok(()),
    }
}

fn read<T: DeserializeOwned>(params: Option<&RawValue>) -> Result<(), String> {
    let params = params.map_or("{}", RawValue::get);
    serde_json::from_str::<T>(params).map(drop).map_err(|error| error.to_string())
}

/// A member that is there, also where it is null.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> (i32, Value, u16) {
        let fault = check(body.as_bytes(), false).expect_err(body);
        (fault.code.0, fault.id, fault.status.as_u16())
    }

    #[test]
    fn each_fault_has_its_code_and_the_id_that_can_be_read() {
        for body in ["", "{", "nonsense", r#"{"jsonrpc": "2.0"} {}"#] {
            assert_eq!(code(body), (-32700, Value::Null, 400), "{body}");
        }
        for (body, id) in [
            ("7", json!(null)),
            ("[]", json!(null)),
            (r#"[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]"#, json!(null)),
            (r#"{"id": 1, "method": "ping"}"#, json!(1)),
            (r#"{"jsonrpc": "1.0", "id": "a", "method": "ping"}"#, json!("a")),
            (r#"{"jsonrpc": "2.0", "id": 1}"#, json!(1)),
            (r#"{"jsonrpc": "2.0", "id": 1, "method": 5}"#, json!(1)),
            (r#"{"jsonrpc": "2.0", "id": null, "method": "ping"}"#, json!(null)),
            (r#"{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}"#, json!(null)),
            (r#"{"jsonrpc": "2.0", "id": [1], "method": "ping"}"#, json!(null)),
            (r#"{"jsonrpc": "2.0", "id": 1, "result": {}}"#, json!(1)),
        ] {
            assert_eq!(code(body), (-32600, id, 400), "{body}");
        }
        for params in [r"[]", r"7", r#"{"name": 7}"#, r#"{"arguments": {}}"#, r#"{"name": "a", "arguments": [1]}"#] {
            let body = format!(r#"{{"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {params}}}"#);
            assert_eq!(code(&body), (-32602, json!(3), 200), "{body}");
        }
        let list = r#"{"jsonrpc": "2.0", "id": 4, "method": "tools/list", "params": {"cursor": 4}}"#;
        assert_eq!(code(list), (-32602, json!(4), 200));
        assert_eq!(check(list.as_bytes(), true).expect_err("it is wrong").status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn what_is_well_formed_passes() {
        for body in [
            r#"{"jsonrpc": "2.0", "id": 1, "method": "ping"}"#,
            r#"{"jsonrpc": "2.0", "id": "x", "method": "tools/list"}"#,
            r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a"}}"#,
            r#"{"jsonrpc": "2.0", "id": 1, "method": "unheard/of", "params": {"a": 1}}"#,
            r#"{"jsonrpc": "2.0", "method": "notifications/initialized"}"#,
        ] {
            assert!(check(body.as_bytes(), false).is_ok(), "{body}");
        }
    }
}
