//! Usage: sums of what runs and direct calls used.

use axum::extract::State;
use behalf_web::{ApiError, Json, Query, SignedIn};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Accounts;
use super::filter::{id, moment};
use crate::usage::{UsageFilter, UsageGroup, UsageSum};

/// Which usage to sum up.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// From this moment on: `2026-12-31T23:59:59Z`, or a day, which begins at midnight of UTC.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
    /// Of this agent.
    #[param(format = Uuid)]
    agent: Option<String>,
    /// Of this user; only the service role may ask for others.
    #[param(format = Uuid)]
    user: Option<String>,
    /// One sum for each value of this field; one sum for all where absent.
    #[param(value_type = Option<UsageGroup>, inline)]
    group_by: Option<String>,
}

/// Usage, summed up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageReport {
    /// In order of their groups.
    usage: Vec<UsageSum>,
    /// The unit of `cost`: `milli-credits`.
    unit: &'static str,
}

impl UsageQuery {
    fn filter(self) -> Result<UsageFilter, ApiError> {
        let group_by = match self.group_by.as_deref() {
            None => None,
            Some("day") => Some(UsageGroup::Day),
            Some("agent") => Some(UsageGroup::Agent),
            Some("model") => Some(UsageGroup::Model),
            Some("tool") => Some(UsageGroup::Tool),
            Some(_) => return Err(ApiError::bad_request("group_by must be one of day, agent, model, tool")),
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

/// Sums up what the caller used; for the service role everybody's usage, or one user's.
#[utoipa::path(
    get,
    path = "/api/usage",
    operation_id = "show_usage",
    tag = "Usage",
    params(UsageQuery),
    responses((status = 200, description = "Usage, summed up", body = UsageReport))
)]
pub(crate) async fn show(
    State(accounts): State<Accounts>,
    SignedIn(principal): SignedIn,
    Query(query): Query<UsageQuery>,
) -> Result<Json<UsageReport>, ApiError> {
    let filter = query.filter()?;
    if filter.user.is_some() && !principal.is_service() && filter.user != principal.subject() {
        return Err(ApiError::forbidden("only the service role may ask for another user's usage"));
    }
    let usage = accounts.usage.sums(&principal, &filter).await?;
    Ok(Json(UsageReport { usage, unit: "milli-credits" }))
}
