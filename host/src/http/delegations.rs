//! What users let services do in their name. Only a user's own token makes a delegation.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::extract::{Json, Path, Query, RequestId};
use super::idempotency::{IdempotencyKey, KeptBody};
use super::input::{self, SignedIn};
use super::routes::Routes;
use super::state::AppState;
use crate::db::{Db, Delegated, DelegationRow, NewDelegation};
use crate::identity::{DelegationToken, Principal};

const NO_DELEGATION: &str = "Delegation not found";

/// How long a delegation lasts where nobody says.
const DEFAULT_DAYS: i64 = 30;
/// How long it may last.
const MAX_DAYS: i64 = 365;
/// Names in its list of tools.
const MAX_TOOLS: usize = 200;
/// Characters of one of them: MCP tools are `mcp__{server}__{tool}`.
const MAX_TOOL_CHARS: usize = 200;
/// Characters of its label.
const MAX_LABEL_CHARS: usize = 200;

pub(super) fn router() -> Routes {
    Routes::new()
        .get("/api/delegations", list)
        .post("/api/delegations", create)
        .get("/api/delegations/{delegation}", show)
        .delete("/api/delegations/{delegation}", revoke)
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<i64>,
    offset: Option<i64>,
}

/// The answer is the only one that ever shows the token.
async fn create(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    RequestId(request_id): RequestId,
    key: IdempotencyKey,
    Json(body): Json<Value>,
) -> Result<Response, ApiError> {
    if !principal.is_user_in_person() {
        return Err(ApiError::Forbidden(
            "only a user's own token may delegate; the service role acts for users with X-Behalf-Act-As".to_owned(),
        ));
    }
    let new = read(&input::fields(body.clone())?, request_id, Utc::now())?;
    let (db, caller) = (state.db.clone(), Arc::clone(&principal));
    key.once(&state, &principal, &body, async move { make(&db, &caller, &new).await }).await
}

/// What is kept for the idempotency key has no token: it is shown once, and stored nowhere.
async fn make(db: &Db, principal: &Principal, new: &NewDelegation) -> Result<Response, ApiError> {
    let token = DelegationToken::make().map_err(|error| ApiError::Internal(Box::new(error)))?;
    let row = match db.create_delegation(principal, new, token.sha256()).await? {
        Delegated::Made(row) => row,
        Delegated::NoAgent => return Err(ApiError::NotFound("Agent not found")),
        Delegated::TooMany => {
            return Err(ApiError::Unprocessable(
                "you have as many delegations as one may have; revoke some with DELETE /api/delegations/{id}"
                    .to_owned(),
            ));
        }
    };
    let mut shown = json!(row);
    let kept = KeptBody(shown.to_string().into());
    if let Value::Object(fields) = &mut shown {
        fields.insert("token".to_owned(), json!(token.expose()));
    }
    let mut response = (StatusCode::CREATED, Json(shown)).into_response();
    response.extensions_mut().insert(kept);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn list(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let (limit, offset) = (page.limit.unwrap_or(50).clamp(1, 200), page.offset.unwrap_or(0).max(0));
    let delegations = state.db.delegations(&principal, limit, offset).await?;
    Ok(Json(json!({ "delegations": delegations, "limit": limit, "offset": offset })))
}

async fn show(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<DelegationRow>, ApiError> {
    let found = state.db.delegation(&principal, input::id(&id, NO_DELEGATION)?).await?;
    found.map(Json).ok_or(ApiError::NotFound(NO_DELEGATION))
}

async fn revoke(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    RequestId(request_id): RequestId,
    Path(id): Path<String>,
) -> Result<Json<DelegationRow>, ApiError> {
    let id = input::id(&id, NO_DELEGATION)?;
    let revoked = state.db.revoke_delegation(&principal, id, Some(&request_id)).await?;
    revoked.map(Json).ok_or(ApiError::NotFound(NO_DELEGATION))
}

fn read(fields: &Map<String, Value>, request_id: String, now: DateTime<Utc>) -> Result<NewDelegation, ApiError> {
    let label = input::text(fields, "label")?;
    if label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL_CHARS) {
        return Err(bad("label may have at most 200 characters"));
    }
    let max_runs = match fields.get("max_runs") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let runs = value.as_i64().and_then(|runs| i32::try_from(runs).ok()).filter(|runs| *runs > 0);
            Some(runs.ok_or_else(|| bad("max_runs must be a whole number from 1 on"))?)
        }
    };
    Ok(NewDelegation {
        agent_id: input::uuid(fields, "agent_id")?.ok_or_else(|| bad("agent_id is required"))?,
        tools: read_tools(fields)?,
        label,
        max_runs,
        expires_at: read_end(fields, now)?,
        request_id: Some(request_id),
    })
}

fn read_tools(fields: &Map<String, Value>) -> Result<Option<Vec<String>>, ApiError> {
    let names = match fields.get("tools") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(names)) if names.len() <= MAX_TOOLS => names,
        Some(_) => return Err(bad("tools must be a list of at most 200 names; leave it out for all of the agent's")),
    };
    let name = |name: &Value| match name {
        Value::String(name) if !name.is_empty() && name.chars().count() <= MAX_TOOL_CHARS => Ok(name.clone()),
        _ => Err(bad("tools must hold names of tools")),
    };
    names.iter().map(name).collect::<Result<_, _>>().map(Some)
}

fn read_end(fields: &Map<String, Value>, now: DateTime<Utc>) -> Result<DateTime<Utc>, ApiError> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let last = now + TimeDelta::days(MAX_DAYS);
    let end = match (given("expires_in"), given("expires_at")) {
        (None, None) => return Ok(now + TimeDelta::days(DEFAULT_DAYS)),
        (Some(_), Some(_)) => return Err(bad("give expires_in or expires_at, not both")),
        (Some(seconds), None) => {
            let seconds = seconds.as_i64().filter(|seconds| *seconds > 0);
            let seconds = seconds.ok_or_else(|| bad("expires_in must be a whole number of seconds from 1 on"))?;
            TimeDelta::try_seconds(seconds).and_then(|time| now.checked_add_signed(time))
        }
        (None, Some(moment)) => {
            let moment = moment.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
            let moment = moment.ok_or_else(|| bad("expires_at must be a moment as in 2026-12-31T23:59:59Z"))?;
            Some(moment.to_utc())
        }
    };
    match end {
        Some(end) if end <= now => Err(bad("expires_at must be in the future")),
        Some(end) if end <= last => Ok(end),
        _ => Err(bad("a delegation may last 365 days at most")),
    }
}

fn bad(text: &str) -> ApiError {
    ApiError::BadRequest(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delegation_ends_within_a_year() {
        let now = Utc::now();
        let end = |body: Value| read_end(body.as_object().unwrap_or(&Map::new()), now);
        assert!(end(json!({})).is_ok_and(|end| end == now + TimeDelta::days(DEFAULT_DAYS)));
        assert!(end(json!({ "expires_in": 60 })).is_ok_and(|end| end == now + TimeDelta::seconds(60)));
        assert!(end(json!({ "expires_in": 365 * 86_400 })).is_ok());
        for bad in [
            json!({ "expires_in": 0 }),
            json!({ "expires_in": -1 }),
            json!({ "expires_in": 1.5 }),
            json!({ "expires_in": "60" }),
            json!({ "expires_in": i64::MAX }),
            json!({ "expires_in": u64::MAX }),
            json!({ "expires_in": 365 * 86_400 + 1 }),
            json!({ "expires_at": "2001-01-01T00:00:00Z" }),
            json!({ "expires_at": "9999-01-01T00:00:00Z" }),
            json!({ "expires_at": "tomorrow" }),
            json!({ "expires_in": 60, "expires_at": "2001-01-01T00:00:00Z" }),
        ] {
            assert!(end(bad.clone()).is_err(), "{bad}");
        }
    }
}
