use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::{Map, Value};
use std::sync::Arc;
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Caller, authenticate};
use super::state::AppState;
use crate::identity::{Principal, Role, VerifyError};

/// Whoever may hold conversations: a signed-in user, or the service role in its own or a user's name.
#[derive(Clone, Debug)]
pub(super) struct SignedIn(pub(super) Arc<Principal>);

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Caller(principal) = Caller::from_request_parts(parts, state).await?;
        somebody(principal).map(Self)
    }
}

/// The same, and services that a user let act for them. A handler that takes it is open to delegations, so it must reach
/// nothing but the delegation's agent and, by row-level security, the runs and sessions that it started.
#[derive(Clone, Debug)]
pub(super) struct Delegable(pub(super) Arc<Principal>);

impl FromRequestParts<AppState> for Delegable {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        somebody(authenticate(parts, state).await?).map(Self)
    }
}

fn somebody(principal: Arc<Principal>) -> Result<Arc<Principal>, ApiError> {
    if principal.role() == Role::Anon {
        return Err(VerifyError::Invalid("the anon key names no user; sign in and send the user's access token").into());
    }
    Ok(principal)
}

/// The fields of a body. A NUL is refused here, because Postgres holds none.
pub(super) fn fields(body: Value) -> Result<Map<String, Value>, ApiError> {
    if has_nul(&body) {
        return Err(ApiError::BadRequest("texts may not contain the NUL character".to_owned()));
    }
    match body {
        Value::Object(fields) => Ok(fields),
        _ => Err(ApiError::BadRequest("send a JSON object".to_owned())),
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// A field's text; absent and null are none.
pub(super) fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(ApiError::BadRequest(format!("{name} must be a string"))),
    }
}

/// A field's uuid; absent and null are none.
pub(super) fn uuid(fields: &Map<String, Value>, name: &str) -> Result<Option<Uuid>, ApiError> {
    text(fields, name)?
        .map(|text| Uuid::try_parse(&text).map_err(|_| ApiError::BadRequest(format!("{name} must be a uuid"))))
        .transpose()
}

/// A uuid in a path. What is none names nothing.
pub(super) fn id(text: &str, missing: &'static str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| ApiError::NotFound(missing))
}

/// An id in a path that is a text.
pub(super) fn text_id<'a>(text: &'a str, missing: &'static str) -> Result<&'a str, ApiError> {
    if text.contains('\0') { Err(ApiError::NotFound(missing)) } else { Ok(text) }
}

/// A text to search for, with the platform's bound.
pub(super) fn search(text: Option<String>, name: &str) -> Result<Option<String>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > 200 || text.contains('\0') {
        return Err(ApiError::BadRequest(format!("{name} may have at most 200 characters")));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_postgres_cannot_hold_is_refused_at_the_door() {
        assert!(fields(json!({ "a": [{ "b\0": 1 }] })).is_err() && fields(json!(["a"])).is_err());
        assert!(fields(json!({ "a": "\\u0000" })).is_ok());
    }
}
