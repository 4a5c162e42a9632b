//! Delegations: what users let services do in their name. Only a user's own token makes one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_identity::{DelegationToken, Principal};
use behalf_web::{ApiError, IdempotencyKey, Json, KeptBody, Path, Query, RequestId, SignedIn, input};
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Accounts, PageQuery};
use crate::delegations::{DelegationRow, Delegations, NewDelegation};

const NO_DELEGATION: &str = "Delegation not found";

/// How long a delegation lasts where the request does not say.
const DEFAULT_DAYS: i64 = 30;
/// How long it may last.
const MAX_DAYS: i64 = 365;
/// Names in its list of tools.
const MAX_TOOLS: usize = 200;
/// Characters of one of them: MCP tools are `mcp__{server}__{tool}`.
const MAX_TOOL_CHARS: usize = 200;
/// Characters of its label.
const MAX_LABEL_CHARS: usize = 200;

/// A delegation to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct DelegationRequest {
    /// The one agent that the service may run.
    agent_id: Uuid,
    /// The only tools that its runs may call; all of the agent's where absent.
    #[schema(max_items = 200)]
    tools: Option<Vec<String>>,
    /// The user's name for it.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// How many runs it may begin; any number where absent.
    #[schema(minimum = 1)]
    max_runs: Option<i32>,
    /// Seconds until it expires, a year at most; 30 days where neither this nor `expires_at` is given.
    #[schema(minimum = 1)]
    expires_in: Option<i64>,
    /// The moment when it expires, such as `2026-12-31T23:59:59Z`.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// A new delegation with its token. No other answer shows the token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedDelegation {
    #[serde(flatten)]
    delegation: DelegationRow,
    /// The bearer token for the service. Absent where the answer to an `Idempotency-Key` is repeated.
    #[schema(required = false)]
    token: String,
}

/// Delegations, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DelegationList {
    delegations: Vec<DelegationRow>,
    /// Most rows of this answer.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

impl DelegationRequest {
    fn check(self, request_id: String, now: DateTime<Utc>) -> Result<NewDelegation, ApiError> {
        if self.label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL_CHARS) {
            return Err(ApiError::bad_request("label may have at most 200 characters"));
        }
        if self.max_runs.is_some_and(|runs| runs < 1) {
            return Err(ApiError::bad_request("max_runs must be a whole number from 1 on"));
        }
        check_tools(self.tools.as_deref().unwrap_or_default())?;
        Ok(NewDelegation {
            agent_id: self.agent_id,
            expires_at: end(self.expires_in, self.expires_at.as_deref(), now)?,
            tools: self.tools,
            label: self.label,
            max_runs: self.max_runs,
            request_id: Some(request_id),
        })
    }
}

fn check_tools(names: &[String]) -> Result<(), ApiError> {
    if names.len() > MAX_TOOLS {
        return Err(ApiError::bad_request(
            "tools must be a list of at most 200 names; leave it out for all of the agent's",
        ));
    }
    if names.iter().any(|name| name.is_empty() || name.chars().count() > MAX_TOOL_CHARS) {
        return Err(ApiError::bad_request("tools must hold names of tools"));
    }
    Ok(())
}

fn end(seconds: Option<i64>, moment: Option<&str>, now: DateTime<Utc>) -> Result<DateTime<Utc>, ApiError> {
    let last = now + TimeDelta::days(MAX_DAYS);
    let end = match (seconds, moment) {
        (None, None) => return Ok(now + TimeDelta::days(DEFAULT_DAYS)),
        (Some(_), Some(_)) => return Err(ApiError::bad_request("give expires_in or expires_at, not both")),
        (Some(..=0), None) => {
            return Err(ApiError::bad_request("expires_in must be a whole number of seconds from 1 on"));
        }
        (Some(seconds), None) => TimeDelta::try_seconds(seconds).and_then(|time| now.checked_add_signed(time)),
        (None, Some(moment)) => {
            let wrong = |_| ApiError::bad_request("expires_at must be a moment as in 2026-12-31T23:59:59Z");
            Some(DateTime::parse_from_rfc3339(moment).map_err(wrong)?.to_utc())
        }
    };
    match end {
        Some(end) if end <= now => Err(ApiError::bad_request("expires_at must be in the future")),
        Some(end) if end <= last => Ok(end),
        _ => Err(ApiError::bad_request("a delegation may last 365 days at most")),
    }
}

/// Lists delegations, newest first: a user's own, for the service role everybody's.
#[utoipa::path(
    get,
    path = "/api/delegations",
    operation_id = "list_delegations",
    tag = "Delegations",
    params(PageQuery),
    responses((status = 200, description = "Delegations that the caller may see", body = DelegationList))
)]
pub(crate) async fn list(
    State(accounts): State<Accounts>,
    SignedIn(principal): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<DelegationList>, ApiError> {
    let page = query.page();
    let delegations = accounts.delegations.list(&principal, page).await?;
    Ok(Json(DelegationList { delegations, limit: page.limit, offset: page.offset }))
}

/// Makes a delegation. The answer is the only one that ever shows its token.
#[utoipa::path(
    post,
    path = "/api/delegations",
    operation_id = "create_delegation",
    tag = "Delegations",
    request_body = DelegationRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "A request with the same key is carried out once")),
    responses((status = 201, description = "The delegation, with its token", body = CreatedDelegation))
)]
pub(crate) async fn create(
    State(accounts): State<Accounts>,
    SignedIn(principal): SignedIn,
    RequestId(request_id): RequestId,
    key: IdempotencyKey,
    request: Result<Json<DelegationRequest>, ApiError>,
) -> Result<Response, ApiError> {
    // A caller who may not delegate learns that first, whatever the body holds.
    if !principal.is_user_in_person() {
        return Err(ApiError::forbidden(
            "only a user's own token may delegate; the service role acts for users with X-Behalf-Act-As",
        ));
    }
    let Json(request) = request?;
    let sent = serde_json::to_value(&request).map_err(ApiError::internal)?;
    let new = request.check(request_id, Utc::now())?;
    let (delegations, caller) = (accounts.delegations, Arc::clone(&principal));
    let work = async move { make(&delegations, &caller, &new).await };
    key.once(&accounts.web.idempotency, &principal, &sent, work).await
}

/// The answer that is kept for the idempotency key has no token: the token is shown once, and stored nowhere.
async fn make(delegations: &Delegations, principal: &Principal, new: &NewDelegation) -> Result<Response, ApiError> {
    let token = DelegationToken::make().map_err(ApiError::internal)?;
    let delegation = delegations.create(principal, new, token.sha256()).await?;
    let kept = serde_json::to_vec(&delegation).map_err(ApiError::internal)?;
    let answer = CreatedDelegation { delegation, token: token.expose().to_owned() };
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    response.extensions_mut().insert(KeptBody(kept.into()));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Shows a delegation.
#[utoipa::path(
    get,
    path = "/api/delegations/{delegation}",
    operation_id = "show_delegation",
    tag = "Delegations",
    params(("delegation" = String, Path, description = "The delegation's id")),
    responses((status = 200, description = "The delegation", body = DelegationRow))
)]
pub(crate) async fn show(
    State(accounts): State<Accounts>,
    SignedIn(principal): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<DelegationRow>, ApiError> {
    let found = accounts.delegations.get(&principal, input::id(&id, NO_DELEGATION)?).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found(NO_DELEGATION))
}

/// Revokes a delegation for good. Runs under way make no further tool call.
#[utoipa::path(
    delete,
    path = "/api/delegations/{delegation}",
    operation_id = "revoke_delegation",
    tag = "Delegations",
    params(("delegation" = String, Path, description = "The delegation's id")),
    responses((status = 200, description = "The revoked delegation", body = DelegationRow))
)]
pub(crate) async fn revoke(
    State(accounts): State<Accounts>,
    SignedIn(principal): SignedIn,
    RequestId(request_id): RequestId,
    Path(id): Path<String>,
) -> Result<Json<DelegationRow>, ApiError> {
    let id = input::id(&id, NO_DELEGATION)?;
    let revoked = accounts.delegations.revoke(&principal, id, Some(&request_id)).await?;
    revoked.map(Json).ok_or_else(|| ApiError::not_found(NO_DELEGATION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_delegation_ends_within_a_year() {
        let now = Utc::now();
        let ends = |mut body: Value| {
            body["agent_id"] = json!(Uuid::nil());
            let request: DelegationRequest = serde_json::from_value(body).ok()?;
            request.check(String::new(), now).ok().map(|new| new.expires_at)
        };
        assert_eq!(ends(json!({})), Some(now + TimeDelta::days(DEFAULT_DAYS)));
        assert_eq!(ends(json!({ "expires_in": 60 })), Some(now + TimeDelta::seconds(60)));
        assert!(ends(json!({ "expires_in": 365 * 86_400 })).is_some());
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
            assert!(ends(bad.clone()).is_none(), "{bad}");
        }
    }
}
