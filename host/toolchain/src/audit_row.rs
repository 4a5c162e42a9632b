//! Rows of the audit log `ai.tool_calls`, for the calls that a command makes.

use std::sync::Arc;

use behalf_host_db::HostDb;
use behalf_identity::Principal;
use serde_json::Value;
use uuid::Uuid;

/// One row as `GET /api/tool-calls` shows it.
const ROW: &str = "select jsonb_build_object(
    'call_id', call_id, 'actor', actor, 'user_id', user_id, 'role', role, 'tool', tool, 'plugin', plugin,
    'plugin_digest', encode(plugin_digest, 'hex'), 'agent_id', agent_id, 'session_id', session_id, 'run_id', run_id,
    'step', step, 'model_call_id', model_call_id, 'request_id', request_id,
    'arguments_sha256', encode(arguments_sha256, 'hex'), 'statements', statements, 'transaction_ids', transaction_ids,
    'egress', egress, 'started_at', started_at, 'duration_us', duration_us, 'guest_us', guest_us,
    'memory_bytes', memory_bytes, 'outcome', outcome, 'blame', blame, 'detail', detail)
    from ai.tool_calls where call_id = $1";

const HAS_ENDED: &str = "select exists (select from ai.tool_calls where request_id = $1 and outcome <> 'started')";

/// The audit log as the service role reads it.
#[derive(Clone, Debug)]
pub(crate) struct AuditRows {
    db: HostDb,
    service: Arc<Principal>,
}

impl AuditRows {
    /// The log of this database.
    pub(crate) fn new(db: HostDb, service: Arc<Principal>) -> Self {
        Self { db, service }
    }

    /// The row of a call.
    pub(crate) async fn row(&self, call_id: Uuid) -> Result<Option<Value>, sqlx::Error> {
        let mut tx = self.db.begin(&self.service).await?;
        let row = sqlx::query_scalar(ROW).bind(call_id).fetch_optional(&mut *tx).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Whether the call of this request has ended.
    pub(crate) async fn has_ended(&self, request_id: &str) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin(&self.service).await?;
        let ended = sqlx::query_scalar(HAS_ENDED).bind(request_id).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(ended)
    }
}
