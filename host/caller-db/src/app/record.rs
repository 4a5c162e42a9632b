//! A row of the log of apps' requests.

use behalf_identity::Principal;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What is kept of an app's request. The default is no request's row.
#[derive(Clone, Debug, Default)]
pub struct AppRecord {
    /// The id of the HTTP request, a `UUIDv7`.
    pub request_id: Uuid,
    /// The start of the request.
    pub started_at: DateTime<Utc>,
    /// The name of the actor who made the request.
    pub actor: String,
    /// The user in whose name it was made, if any.
    pub user_id: Option<Uuid>,
    /// The database role.
    pub role: &'static str,
    /// The method.
    pub method: &'static str,
    /// What was asked for: tables, columns and operators, never a value.
    pub shape: String,
    /// Rows of the answer, or changed rows.
    pub rows: Option<i64>,
    /// The HTTP status; none where the client went away.
    pub status: Option<i32>,
    /// The error's code.
    pub code: Option<String>,
    /// The id of the transaction, if it wrote.
    pub transaction_id: Option<String>,
    /// Microseconds from the start to the end.
    pub duration_us: i64,
}

impl AppRecord {
    /// The row of a request that begins now.
    pub fn begin(principal: &Principal, request_id: Uuid, method: &'static str) -> Self {
        Self {
            request_id,
            started_at: Utc::now(),
            actor: principal.actor(),
            user_id: principal.subject(),
            role: principal.role().as_str(),
            method,
            ..Self::default()
        }
    }
}
