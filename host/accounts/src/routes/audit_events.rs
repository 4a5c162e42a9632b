//! The audit log of everything else than tool calls.

use axum::extract::State;
use behalf_web::{ApiError, Caller, Json, Query};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Accounts, PageQuery};
use crate::audit::AuditEventRow;

/// Audit events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEventList {
    audit_events: Vec<AuditEventRow>,
    /// Most rows of this answer.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// Lists what was done beside tool calls, and in whose name, newest first: runs begun, delegations, acting for others, keys,
/// credits.
#[utoipa::path(
    get,
    path = "/api/audit-events",
    operation_id = "list_audit_events",
    tag = "Audit log",
    params(PageQuery),
    responses((status = 200, description = "Audit events that the caller may see", body = AuditEventList))
)]
pub(crate) async fn list(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<AuditEventList>, ApiError> {
    let page = query.page();
    let audit_events = accounts.audit.events(&principal, page).await?;
    Ok(Json(AuditEventList { audit_events, limit: page.limit, offset: page.offset }))
}
