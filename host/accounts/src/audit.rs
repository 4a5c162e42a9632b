//! Tables `ai.tool_calls` and `ai.audit_events`, read in the caller's name: users see their own rows, the service role all.

use behalf_caller_db::{AuditLog, CallIdRange};
use behalf_host_db::HostDb;
use behalf_identity::Principal;
use behalf_web::Page;
use chrono::{DateTime, Utc};
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
    /// Outbound requests: method, host, port and outcome; never a path or a body. And operations on files: operation, bucket,
    /// bytes and outcome; never a name.
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
    /// Who made the request, as in a tool call; `host` where the host itself did it.
    pub actor: String,
    /// In whose name; absent where the service role acted in its own.
    pub user_id: Option<Uuid>,
    /// The id of what it was done to.
    pub object: Option<String>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// What belongs to the action. A change has `before`, `after` and `changed`; values that may be secret are left out.
    #[schema(value_type = Object)]
    pub details: Json,
}

/// Which tool calls to read: those that fit every field that is given.
#[derive(Clone, Debug)]
pub struct CallFilter {
    /// The part of the list.
    pub page: Page,
    /// The tool's name.
    pub tool: Option<String>,
    /// The plugin's name.
    pub plugin: Option<String>,
    /// How the call ended.
    pub outcome: Option<String>,
    /// Who made the request.
    pub actor: Option<String>,
    /// In whose name.
    pub user: Option<Uuid>,
    /// The agent.
    pub agent: Option<Uuid>,
    /// The session.
    pub session: Option<String>,
    /// The run.
    pub run: Option<String>,
    /// The HTTP request.
    pub request: Option<String>,
    /// When the call began, at the earliest.
    pub from: Option<DateTime<Utc>>,
    /// Before when it began.
    pub to: Option<DateTime<Utc>>,
}

/// Which audit events to read: those that fit every field that is given.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// The part of the list.
    pub page: Page,
    /// The action.
    pub action: Option<String>,
    /// Who made the request.
    pub actor: Option<String>,
    /// In whose name.
    pub user: Option<Uuid>,
    /// What it was done to.
    pub object: Option<String>,
    /// The HTTP request.
    pub request: Option<String>,
    /// When it happened, at the earliest.
    pub from: Option<DateTime<Utc>>,
    /// Before when it happened.
    pub to: Option<DateTime<Utc>>,
}

/// Reads the audit log.
#[derive(Clone, Debug)]
pub struct AuditReader {
    pub(crate) db: HostDb,
    pub(crate) log: AuditLog,
}

impl AuditReader {
    /// Reads from `db` what `log` writes.
    pub fn new(db: HostDb, log: AuditLog) -> Self {
        Self { db, log }
    }

    /// The newest tool calls that the caller may see. Calls that have ended are among them, also where their rows were still
    /// waiting to be written.
    pub async fn tool_calls(
        &self,
        principal: &Principal,
        filter: &CallFilter,
    ) -> Result<Vec<ToolCallRow>, sqlx::Error> {
        self.log.flush().await;
        let ids = CallIdRange::of(filter.from, filter.to);
        let mut tx = self.db.begin(principal).await?;
        let calls = sqlx::query_as(
            "select call_id, actor, user_id, role, tool, plugin, encode(plugin_digest, 'hex') as plugin_digest, agent_id,
                session_id, run_id, step, model_call_id, request_id, encode(arguments_sha256, 'hex') as arguments_sha256,
                statements, transaction_ids::text[] as transaction_ids, egress,
                to_json(started_at) #>> '{}' as started_at, duration_us, guest_us, memory_bytes, outcome, blame, detail
             from ai.tool_calls c
             where ($3::text is null or c.tool = $3) and ($4::text is null or c.plugin = $4)
                and ($5::text is null or c.outcome = $5) and ($6::text is null or c.actor = $6)
                and ($7::uuid is null or c.user_id = $7) and ($8::uuid is null or c.agent_id = $8)
                and ($9::text is null or c.session_id = $9) and ($10::text is null or c.run_id = $10)
                and ($11::text is null or c.request_id = $11)
                and ($12::timestamptz is null or c.started_at >= $12) and ($13::timestamptz is null or c.started_at < $13)
                and ($14 or c.user_id = $15)
                and ($16::uuid is null or c.call_id >= $16) and ($17::uuid is null or c.call_id < $17)
             order by c.call_id desc limit $1 offset $2",
        )
        .bind(filter.page.limit)
        .bind(filter.page.offset)
        .bind(&filter.tool)
        .bind(&filter.plugin)
        .bind(&filter.outcome)
        .bind(&filter.actor)
        .bind(filter.user)
        .bind(filter.agent)
        .bind(&filter.session)
        .bind(&filter.run)
        .bind(&filter.request)
        .bind(filter.from)
        .bind(filter.to)
        // The policies say so as well. Said here, it is an index's condition, and not a look at the whole log.
        .bind(principal.is_service())
        .bind(principal.subject())
        // The moments again, as the primary key knows them.
        .bind(ids.first)
        .bind(ids.end)
        .persistent(false)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(calls)
    }

    /// The newest audit events that the caller may see.
    pub async fn events(&self, principal: &Principal, filter: &EventFilter) -> Result<Vec<AuditEventRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let events = sqlx::query_as(
            "select id, to_json(occurred_at) #>> '{}' as occurred_at, action, actor, user_id, object, request_id, details
             from ai.audit_events e
             where ($3::text is null or e.action = $3) and ($4::text is null or e.actor = $4)
                and ($5::uuid is null or e.user_id = $5) and ($6::text is null or e.object = $6)
                and ($7::text is null or e.request_id = $7)
                and ($8::timestamptz is null or e.occurred_at >= $8) and ($9::timestamptz is null or e.occurred_at < $9)
                and ($10 or e.user_id = $11)
             order by e.id desc limit $1 offset $2",
        )
        .bind(filter.page.limit)
        .bind(filter.page.offset)
        .bind(&filter.action)
        .bind(&filter.actor)
        .bind(filter.user)
        .bind(&filter.object)
        .bind(&filter.request)
        .bind(filter.from)
        .bind(filter.to)
        .bind(principal.is_service())
        .bind(principal.subject())
        .persistent(false)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(events)
    }
}
