//! Arguments with a number that would be rounded when the message is read: the client is told, and no tool is called.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use behalf_schema::inexact_number;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

/// JSON-RPC's code for parameters that are not valid.
const INVALID_PARAMS: i32 = -32602;

/// The fields of a call.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// The answer to a call whose arguments would be rounded.
pub(crate) fn refusal(body: &[u8]) -> Option<Response> {
    let Call { id, method, params } = serde_json::from_slice(body).ok()?;
    if method != "tools/call" && method != "prompts/get" {
        return None;
    }
    let fault = inexact_number(params?.arguments?.get())?;
    let place = if fault.pointer.is_empty() { "/" } else { &fault.pointer };
    let message = format!("{place}: {}", fault.message);
    let answer = json!({ "jsonrpc": "2.0", "id": id?, "error": { "code": INVALID_PARAMS, "message": message } });
    Some(axum::Json(answer).into_response())
}
