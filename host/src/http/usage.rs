use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Json, Query};
use super::input::SignedIn;
use super::routes::Routes;
use super::state::AppState;
use crate::db::{UsageFilter, UsageGroup};

pub(super) fn router() -> Routes {
    Routes::new().get("/api/usage", show)
}

#[derive(Debug, Deserialize)]
struct UsageQuery {
    from: Option<String>,
    to: Option<String>,
    agent: Option<String>,
    user: Option<String>,
    group_by: Option<String>,
}

impl UsageQuery {
    fn filter(self) -> Result<UsageFilter, ApiError> {
        let group_by = match self.group_by.as_deref() {
            None => None,
            Some("day") => Some(UsageGroup::Day),
            Some("agent") => Some(UsageGroup::Agent),
            Some("model") => Some(UsageGroup::Model),
            Some("tool") => Some(UsageGroup::Tool),
            Some(_) => return Err(bad("group_by must be one of day, agent, model, tool")),
        };
        Ok(UsageFilter {
            from: moment(self.from, "from")?,
            to: moment(self.to, "to")?,
            agent: id(self.agent, "agent")?,
            user: id(self.user, "user")?,
            group_by,
        })
    }
}

/// What the caller used; the service role sees everybody's, or one user's.
async fn show(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Query(query): Query<UsageQuery>,
) -> Result<Json<Value>, ApiError> {
    let filter = query.filter()?;
    if filter.user.is_some() && !principal.is_service() && filter.user != principal.subject() {
        return Err(ApiError::Forbidden("only the service role may ask for another user's usage".to_owned()));
    }
    state.db.audit().flush().await;
    let usage = state.db.usage(&principal, &filter).await?;
    Ok(Json(json!({ "usage": usage, "unit": "milli-credits" })))
}

/// A day begins at midnight of UTC.
fn moment(text: Option<String>, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let day =
        || text.parse::<chrono::NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|day| day.and_utc());
    let moment = DateTime::parse_from_rfc3339(&text).ok().map(|moment| moment.to_utc()).or_else(day);
    moment.map(Some).ok_or_else(|| bad(&format!("{name} must be a day or a moment, as in 2026-12-31T23:59:59Z")))
}

fn id(text: Option<String>, name: &str) -> Result<Option<Uuid>, ApiError> {
    text.map(|text| Uuid::try_parse(&text).map_err(|_| bad(&format!("{name} must be a uuid")))).transpose()
}

fn bad(text: &str) -> ApiError {
    ApiError::BadRequest(text.to_owned())
}
