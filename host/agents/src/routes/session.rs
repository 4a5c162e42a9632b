//! Routes of sessions.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_identity::Principal;
use behalf_web::{ApiError, IdempotencyKey, Json, Page, Path, Query, Routes, SignedIn, input, routes};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::session_body::CreateSession;
use super::{IdempotencyHeader, NO_AGENT, NO_SESSION, agent_id};
use crate::ids;
use crate::state::AgentsState;
use crate::store::{NewSession, SessionFilter, SessionRow, SessionSummary};

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(list, create)).routes(routes!(delete_of_agent)).routes(routes!(show, delete))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Rows, at most 200; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
    /// Text that the id or a message contains.
    search: Option<String>,
    /// Sessions that were made after this time.
    created_after: Option<String>,
    /// Sessions that were made before this time.
    created_before: Option<String>,
    /// Sessions with at least so many runs.
    min_runs: Option<i64>,
    /// Sessions with at most so many runs.
    max_runs: Option<i64>,
}

impl ListQuery {
    fn filter(self) -> Result<SessionFilter, ApiError> {
        let Page { limit, offset } = Page::new(self.limit, self.offset, 50, 200);
        Ok(SessionFilter {
            search: input::search(self.search, "search")?,
            created_after: moment(self.created_after, "created_after")?,
            created_before: moment(self.created_before, "created_before")?,
            min_runs: self.min_runs,
            max_runs: self.max_runs,
            limit,
            offset,
        })
    }
}

/// One page of sessions.
#[derive(Debug, Serialize, ToSchema)]
struct SessionList {
    /// Latest activity first.
    sessions: Vec<SessionSummary>,
    /// How many sessions there are in all.
    total: i64,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// A session that was made.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedSession {
    /// Its id.
    session_id: String,
}

/// A session that was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedSession {
    /// Always true.
    success: bool,
    /// `Session deleted`.
    message: &'static str,
}

/// Lists the caller's sessions with an agent.
#[utoipa::path(
    get,
    path = "/api/agents/{agent}/sessions",
    operation_id = "list_sessions",
    tag = "Sessions",
    params(("agent" = Uuid, Path, description = "The agent's id."), ListQuery),
    responses((status = 200, description = "One page of sessions", body = SessionList))
)]
async fn list(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(agent): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<SessionList>, ApiError> {
    let agent = agent_id(&agent)?;
    let filter = query.filter()?;
    state.agents.store.find(&principal, agent).await?.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
    let (sessions, total) = state.agents.sessions.of_agent(&principal, agent, &filter).await?;
    Ok(Json(SessionList { sessions, total, limit: filter.limit, offset: filter.offset }))
}

/// Makes a session. The body may be missing.
#[utoipa::path(
    post,
    path = "/api/agents/{agent}/sessions",
    operation_id = "create_session",
    tag = "Sessions",
    params(("agent" = Uuid, Path, description = "The agent's id."), IdempotencyHeader),
    request_body = Option<CreateSession>,
    responses((status = 201, description = "The session", body = CreatedSession))
)]
async fn create(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    key: IdempotencyKey,
    Path(agent): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let agent_id = agent_id(&agent)?;
    let Json(body) = if body.is_empty() { Json(json!({})) } else { Json::from_bytes(&body)? };
    let (user_id, seeds) = CreateSession::read(&body)?.check(&principal)?;
    let (agents, caller) = (state.agents, principal.clone());
    let create = async move {
        agents.store.find(&caller, agent_id).await?.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
        let session = NewSession { session_id: ids::session_id(), agent_id, user_id, seeds };
        agents.sessions.create(&caller, &session).await?;
        Ok((StatusCode::CREATED, Json(CreatedSession { session_id: session.session_id })).into_response())
    };
    key.once(&state.web.idempotency, &principal, &body, create).await
}

/// Deletes a session with an agent.
#[utoipa::path(
    delete,
    path = "/api/agents/{agent}/sessions/{session}",
    operation_id = "delete_agent_session",
    tag = "Sessions",
    params(
        ("agent" = Uuid, Path, description = "The agent's id."),
        ("session" = String, Path, description = "The session's id.")
    ),
    responses((status = 204, description = "It is deleted"))
)]
async fn delete_of_agent(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path((agent, session)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (agent, session) = (input::id(&agent, NO_SESSION)?, input::text_id(&session, NO_SESSION)?);
    let deleted = state.agents.sessions.delete(&principal, session, Some(agent)).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found(NO_SESSION)) }
}

/// Shows a session.
#[utoipa::path(
    get,
    path = "/api/sessions/{session}",
    operation_id = "show_session",
    tag = "Sessions",
    params(("session" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "The session", body = SessionRow))
)]
async fn show(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(session): Path<String>,
) -> Result<Json<SessionRow>, ApiError> {
    find(&state, &principal, &session).await.map(Json)
}

/// Deletes a session with its runs.
#[utoipa::path(
    delete,
    path = "/api/sessions/{session}",
    operation_id = "delete_session",
    tag = "Sessions",
    params(("session" = String, Path, description = "The session's id.")),
    responses((status = 200, description = "It is deleted", body = DeletedSession))
)]
async fn delete(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(session): Path<String>,
) -> Result<Json<DeletedSession>, ApiError> {
    if !state.agents.sessions.delete(&principal, input::text_id(&session, NO_SESSION)?, None).await? {
        return Err(ApiError::not_found(NO_SESSION));
    }
    Ok(Json(DeletedSession { success: true, message: "Session deleted" }))
}

/// The caller's session of this id.
pub(super) async fn find(state: &AgentsState, principal: &Principal, session: &str) -> Result<SessionRow, ApiError> {
    let session = state.agents.sessions.find(principal, input::text_id(session, NO_SESSION)?).await?;
    session.ok_or_else(|| ApiError::not_found(NO_SESSION))
}

/// A time of ISO 8601 as clients write it: with an offset, without one, which is UTC, or a day alone.
fn moment(text: Option<String>, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    // A query's unescaped plus arrives as a space.
    let offset = || DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok().map(|moment| moment.to_utc());
    let local = || text.parse::<NaiveDateTime>().ok().map(|moment| moment.and_utc());
    let day = || text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|moment| moment.and_utc());
    let read = offset().or_else(local).or_else(day);
    read.map(Some).ok_or_else(|| ApiError::bad_request(format!("{name} must be a time such as 2030-01-31T12:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_clients_write_it() {
        let read =
            |text: &str| moment(Some(text.to_owned()), "created_after").ok().flatten().map(|time| time.timestamp());
        let noon = Some(1_893_499_200);
        for text in
            ["2030-01-01T12:00:00Z", "2030-01-01T13:00:00+01:00", "2030-01-01T13:00:00 01:00", "2030-01-01T12:00:00"]
        {
            assert_eq!(read(text), noon, "{text}");
        }
        assert_eq!(read("2030-01-01"), noon.map(|noon| noon - 43_200));
        assert!(moment(Some("yesterday".to_owned()), "created_after").is_err());
    }
}
