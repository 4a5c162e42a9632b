//! Tables `ai.tool_calls` and `ai.audit_events`, read in the caller's name: users see their own rows, the service role all.

use behalf_caller_db::AuditLog;
use behalf_host_db::HostDb;
use behalf_identity::Principal;
use behalf_web::Page;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A tool call as clients see it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = ToolCallRecord)]
pub struct ToolCallRow {
    /// The call.
    pub call_id: Uuid,
    /// Who made the request: the user's id, `delegation:` and its id, or the role of a caller without a user.
    pub actor: String,
    /// In whose name.
    pub user_id: Option<Uuid>,
    /// The database role.
    pub role: String,
    /// The tool's name.
    pub tool: String,
    /// The plugin's name.
    pub plugin: Option<String>,
    /// SHA-256 of the component, in hex.
    pub plugin_digest: Option<String>,
    /// The agent, where the call belongs to a run.
    pub agent_id: Option<Uuid>,
    /// The run's session.
    pub session_id: Option<String>,
    /// The run.
    pub run_id: Option<String>,
    /// The step of the run.
    pub step: Option<i32>,
    /// The model's name for the call.
    pub model_call_id: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// SHA-256 of the arguments as sent, in hex.
    pub arguments_sha256: String,
    /// The tool's statements: `fingerprint`, `verdict`, `rows` and `sqlstate`; never values.
    #[schema(value_type = Vec<Object>)]
    pub statements: Json,
    /// The transactions that wrote, as numbers for `pg_xact_status`.
    pub transaction_ids: Vec<String>,
    /// Outbound requests: method, host, port and outcome; never a path or a body.
    #[schema(value_type = Vec<Object>)]
    pub egress: Json,
    /// RFC 3339.
    pub started_at: String,
    /// From the start to the end of the call.
    pub duration_us: Option<i64>,
    /// How long the component itself ran, as part of `duration_us`.
    pub guest_us: Option<i64>,
    /// The most memory that the component had.
    pub memory_bytes: Option<i64>,
    /// `started`, `ok`, or the error's name.
    pub outcome: String,
    /// Who caused a failure: `guest`, `caller` or `host`.
    pub blame: Option<String>,
    /// A sentence for the operator; no row contents.
    pub detail: Option<String>,
}

/// An audit event as clients see it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub struct AuditEventRow {
    /// Its number; later events have higher ones.
    pub id: i64,
    /// RFC 3339.
    pub occurred_at: String,
    /// The action, such as `delegation.created`.
    pub action: String,
    /// Who made the request, as in a tool call.
    pub actor: String,
    /// In whose name; absent where the service role acted in its own.
    pub user_id: Option<Uuid>,
    /// The id of what it was done to.
    pub object: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// Names, numbers and ids that belong to the action.
    #[schema(value_type = Object)]
    pub details: Json,
}

/// Reads the audit log.
#[derive(Clone, Debug)]
pub struct AuditReader {
    db: HostDb,
    log: AuditLog,
}

impl AuditReader {
    /// Reads from `db` what `log` writes.
    pub fn new(db: HostDb, log: AuditLog) -> Self {
        Self { db, log }
    }

    /// The newest tool calls that the caller may see. Calls that have ended are among them, also where their rows were still
    /// waiting to be written.
    pub async fn tool_calls(&self, principal: &Principal, page: Page) -> Result<Vec<ToolCallRow>, sqlx::Error> {
        self.log.flush().await;
        let mut tx = self.db.begin(principal).await?;
        let calls = sqlx::query_as(
            "select call_id, actor, user_id, role, tool, plugin, encode(plugin_digest, 'hex') as plugin_digest, agent_id,
                session_id, run_id, step, model_call_id, request_id, encode(arguments_sha256, 'hex') as arguments_sha256,
                statements, transaction_ids::text[] as transaction_ids, egress,
                to_json(started_at) #>> '{}' as started_at, duration_us, guest_us, memory_bytes, outcome, blame, detail
             from ai.tool_calls c order by c.started_at desc, c.call_id desc limit $1 offset $2",
        )
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(calls)
    }

    /// The newest audit events that the caller may see.
    pub async fn events(&self, principal: &Principal, page: Page) -> Result<Vec<AuditEventRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let events = sqlx::query_as(
            "select id, to_json(occurred_at) #>> '{}' as occurred_at, action, actor, user_id, object, request_id, details
             from ai.audit_events order by id desc limit $1 offset $2",
        )
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(events)
    }
}
