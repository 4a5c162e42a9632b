use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::extract::{Json, Path, Query};
use super::idempotency::IdempotencyKey;
use super::input::{self, SignedIn};
use super::routes::Routes;
use super::runs::as_platform;
use super::state::AppState;
use crate::agents::{seed_id, session_id};
use crate::db::{Exchange, NewSession, Seed, SessionFilter, SessionRow};
use crate::identity::Principal;

const NO_AGENT: &str = "Agent not found";
const NO_SESSION: &str = "Session not found";
const NO_RUN: &str = "Run not found";

/// Messages that a session may begin with.
const MAX_SEEDS: usize = 200;
/// Characters of one of them.
const MAX_SEED_CHARS: usize = 20_000;

pub(super) fn router() -> Routes {
    Routes::new()
        .get("/api/agents/{agent}/sessions", list)
        .post("/api/agents/{agent}/sessions", create)
        .delete("/api/agents/{agent}/sessions/{session}", delete_of_agent)
        .get("/api/sessions/{session}", show)
        .delete("/api/sessions/{session}", delete)
        .get("/api/sessions/{session}/messages", messages)
        .get("/api/sessions/{session}/runs", runs)
        .get("/api/sessions/{session}/runs/{run}/retrieved-context", retrieved_context)
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<i64>,
    offset: Option<i64>,
    search: Option<String>,
    created_after: Option<String>,
    created_before: Option<String>,
    min_runs: Option<i64>,
    max_runs: Option<i64>,
}

impl ListQuery {
    fn filter(self) -> Result<SessionFilter, ApiError> {
        Ok(SessionFilter {
            search: input::search(self.search, "search")?,
            created_after: moment(self.created_after, "created_after")?,
            created_before: moment(self.created_before, "created_before")?,
            min_runs: self.min_runs,
            max_runs: self.max_runs,
            limit: self.limit.unwrap_or(50).clamp(1, 200),
            offset: self.offset.unwrap_or(0).max(0),
        })
    }
}

async fn list(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(agent): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let agent = input::id(&agent, NO_AGENT)?;
    let filter = query.filter()?;
    state.db.agent(&principal, agent).await?.ok_or(ApiError::NotFound(NO_AGENT))?;
    let (sessions, total) = state.db.sessions_of_agent(&principal, agent, &filter).await?;
    Ok(Json(json!({ "sessions": sessions, "total": total, "limit": filter.limit, "offset": filter.offset })))
}

/// The body may be missing.
async fn create(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    key: IdempotencyKey,
    Path(agent): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let agent_id = input::id(&agent, NO_AGENT)?;
    let body = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(&body).map_err(|error| bad(&format!("the body is not JSON: {error}")))?
    };
    let fields = input::fields(body.clone())?;
    let seeds = read_seeds(&fields)?;
    let user_id = read_owner(&fields, &principal, seeds.is_empty())?;
    let (db, caller) = (state.db.clone(), Arc::clone(&principal));
    let create = async move {
        db.agent(&caller, agent_id).await?.ok_or(ApiError::NotFound(NO_AGENT))?;
        let session = NewSession { session_id: session_id(), agent_id, user_id, seeds };
        db.create_session(&caller, &session).await?;
        Ok((StatusCode::CREATED, Json(json!({ "session_id": session.session_id }))).into_response())
    };
    key.once(&state, &principal, &body, create).await
}

async fn delete_of_agent(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path((agent, session)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let agent = input::id(&agent, NO_SESSION)?;
    let deleted = state.db.delete_session(&principal, input::text_id(&session, NO_SESSION)?, Some(agent)).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound(NO_SESSION)) }
}

async fn show(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(session): Path<String>,
) -> Result<Json<SessionRow>, ApiError> {
    find(&state, &principal, &session).await.map(Json)
}

async fn delete(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(session): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if !state.db.delete_session(&principal, input::text_id(&session, NO_SESSION)?, None).await? {
        return Err(ApiError::NotFound(NO_SESSION));
    }
    Ok(Json(json!({ "success": true, "message": "Session deleted" })))
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn messages(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(session): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let session = find(&state, &principal, &session).await?;
    let limit = page.limit.unwrap_or(200).clamp(1, 200);
    let exchanges = state.db.exchanges_of_session(&principal, &session.session_id, limit).await?;
    let mut messages: Vec<_> = exchanges.iter().flat_map(said).collect();
    // The latest ones: a transcript is read from its end.
    let surplus = messages.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    messages.drain(..surplus);
    Ok(Json(json!({ "session_id": session.session_id, "messages": messages })))
}

async fn runs(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(session): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let session = find(&state, &principal, &session).await?;
    let (limit, offset) = (page.limit.unwrap_or(50).clamp(1, 100), page.offset.unwrap_or(0).max(0));
    let runs = state.db.runs_of_session(&principal, &session.session_id, limit, offset).await?;
    let runs: Vec<_> = runs.iter().map(as_platform).collect();
    Ok(Json(json!({ "session_id": session.session_id, "runs": runs, "limit": limit, "offset": offset })))
}

/// The passages that a run was given to read.
async fn retrieved_context(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path((session, run)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let session = find(&state, &principal, &session).await?;
    let found = state.db.run(&principal, input::text_id(&run, NO_RUN)?).await?;
    let run = found.filter(|run| run.session_id == session.session_id).ok_or(ApiError::NotFound(NO_RUN))?;
    Ok(Json(json!({
        "session_id": session.session_id, "run_id": run.run_id, "retrieved_context": run.retrieved_context,
    })))
}

async fn find(state: &AppState, principal: &Principal, session: &str) -> Result<SessionRow, ApiError> {
    let session = state.db.session(principal, input::text_id(session, NO_SESSION)?).await?;
    session.ok_or(ApiError::NotFound(NO_SESSION))
}

fn bad(text: &str) -> ApiError {
    ApiError::BadRequest(text.to_owned())
}

/// A time of ISO 8601 as clients write it: with an offset, without one, which is UTC, or a day alone.
fn moment(text: Option<String>, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    // A query's unescaped plus arrives as a space.
    let offset = || DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok().map(|moment| moment.to_utc());
    let local = || text.parse::<NaiveDateTime>().ok().map(|moment| moment.and_utc());
    let day = || text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|moment| moment.and_utc());
    let read = offset().or_else(local).or_else(day);
    read.map(Some).ok_or_else(|| bad(&format!("{name} must be a time such as 2030-01-31T12:00:00Z")))
}

/// Whose the new session is: the caller's own, or whom the service role names.
fn read_owner(fields: &Map<String, Value>, principal: &Principal, empty: bool) -> Result<Option<uuid::Uuid>, ApiError> {
    if !principal.is_service() {
        // Who may not choose an owner learns that first, whatever the field holds.
        return if fields.get("user_id").is_some_and(|user| !user.is_null()) {
            Err(ApiError::Forbidden("user_id may only be set with the project's service role key".to_owned()))
        } else {
            Ok(principal.subject())
        };
    }
    let named = input::uuid(fields, "user_id")?;
    if named.is_none() && !empty {
        return Err(bad("user_id is required with initial_messages"));
    }
    Ok(named)
}

fn read_seeds(fields: &Map<String, Value>) -> Result<Vec<Seed>, ApiError> {
    let messages = match fields.get("initial_messages") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(bad("initial_messages must be a list")),
    };
    if messages.len() > MAX_SEEDS {
        return Err(bad("initial_messages may have at most 200 messages"));
    }
    let content = |message: &Value, role: &str| {
        let text = message.get("content").and_then(Value::as_str)?;
        let fits = message.get("role").and_then(Value::as_str) == Some(role)
            && (1..=MAX_SEED_CHARS).contains(&text.chars().count());
        fits.then(|| text.to_owned())
    };
    let pair = |pair: &[Value]| match pair {
        [question, answer] => Some(Seed {
            run_id: seed_id(),
            question: content(question, "user")?,
            answer: content(answer, "assistant")?,
        }),
        _ => None,
    };
    let seeds: Option<Vec<_>> = messages.chunks(2).map(pair).collect();
    seeds.ok_or_else(|| {
        bad("initial_messages must alternate user and assistant, in pairs, with contents of 1 to 20000 characters")
    })
}

/// What one completed run said, as messages.
fn said(exchange: &Exchange) -> Vec<Value> {
    let asked = exchange.input_messages.as_array().into_iter().flatten().map(|message| {
        json!({
            "role": message.get("role"), "content": message.get("content"),
            "run_id": exchange.run_id, "timestamp": exchange.asked_at,
        })
    });
    let mut answer = json!({
        "role": "assistant", "content": exchange.content, "run_id": exchange.run_id, "timestamp": exchange.answered_at,
    });
    let thoughts: Vec<_> = exchange
        .reasoning_steps
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|step| step.get("content")?.as_str())
        .collect();
    if let Value::Object(fields) = &mut answer {
        if let Some(requested) = exchange.reasoning_requested {
            fields.insert("reasoning_requested".to_owned(), json!(requested));
        }
        if !thoughts.is_empty() {
            fields.insert("reasoning".to_owned(), json!(thoughts.join("\n\n")));
            fields.insert("reasoning_duration_ms".to_owned(), json!(thinking_ms(&exchange.steps)));
        }
    }
    asked.chain([answer]).collect()
}

/// How long the model thought in all steps, in whole milliseconds.
fn thinking_ms(steps: &Value) -> u64 {
    let spent = steps.as_array().into_iter().flatten().filter_map(|step| step.get("reasoning_ms")?.as_u64());
    spent.sum()
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

    fn seeds(messages: &Value) -> Result<usize, ApiError> {
        read_seeds(&input::fields(json!({ "initial_messages": messages }))?).map(|seeds| seeds.len())
    }

    #[test]
    fn a_session_begins_with_pairs_of_question_and_answer() {
        let (user, agent) = (json!({ "role": "user", "content": "a" }), json!({ "role": "assistant", "content": "b" }));
        assert!(matches!(seeds(&json!([user, agent, user, agent])), Ok(2)));
        for bad in [
            json!([user]),
            json!([agent, user]),
            json!([user, user]),
            json!([user, { "role": "assistant", "content": "" }]),
            json!("a"),
        ] {
            assert!(seeds(&bad).is_err());
        }
    }
}
