//! The audit log of everything else than tool calls.

use axum::extract::State;
use behalf_web::{ApiError, Caller, Json, Page, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::filter::{id, moment};
use super::{Accounts, DEFAULT_ROWS, MAX_ROWS};
use crate::audit::{AuditEventRow, EventFilter};

/// Which audit events to answer with: those that fit every parameter that is given.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// Rows, 200 at most; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
    /// Of this action, such as `plugin.changed`.
    action: Option<String>,
    /// By this actor, as in a row.
    actor: Option<String>,
    /// In this user's name.
    #[param(format = Uuid)]
    user_id: Option<String>,
    /// On this object, such as `plugin:` and its id.
    object: Option<String>,
    /// By this HTTP request.
    request_id: Option<String>,
    /// From this moment on: `2026-12-31T23:59:59Z`, or a day, which begins at midnight of UTC.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
}

/// Audit events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEventList {
    audit_events: Vec<AuditEventRow>,
    /// Most rows of this answer.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

impl EventQuery {
    fn filter(self) -> Result<EventFilter, ApiError> {
        Ok(EventFilter {
            page: Page::new(self.limit, self.offset, DEFAULT_ROWS, MAX_ROWS),
            action: self.action,
            actor: self.actor,
            user: id(self.user_id, "user_id")?,
            object: self.object,
            request: self.request_id,
            from: moment(self.from, "from")?,
            to: moment(self.to, "to")?,
        })
    }
}

/// Lists what was done beside tool calls, and in whose name, newest first: runs begun, delegations, acting for others, credits,
/// and every change of what operators set up.
#[utoipa::path(
    get,
    path = "/api/audit-events",
    operation_id = "list_audit_events",
    tag = "Audit log",
    params(EventQuery),
    responses((status = 200, description = "Audit events that the caller may see", body = AuditEventList))
)]
pub(crate) async fn list(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Query(query): Query<EventQuery>,
) -> Result<Json<AuditEventList>, ApiError> {
    let filter = query.filter()?;
    let audit_events = accounts.audit.events(&principal, &filter).await?;
    Ok(Json(AuditEventList { audit_events, limit: filter.page.limit, offset: filter.page.offset }))
}
