//! Table `ai.tool_call_texts`, which the service role alone reads.

use serde::Serialize;
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit::AuditReader;
use behalf_identity::Principal;

/// What was written during a tool call. It may hold values of rows and arguments.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = ToolCallTexts)]
pub struct CallTextsRow {
    /// The call.
    pub call_id: Uuid,
    /// RFC 3339. The texts are deleted some days later.
    pub kept_at: String,
    /// The message of the tool, of its server or of the database.
    pub failure: Option<String>,
    /// `pointer` and `message` of each argument that does not fit the tool's schema.
    #[schema(value_type = Vec<Object>)]
    pub faults: Json,
    /// `level` and `message` of each line that the tool logged or printed.
    #[schema(value_type = Vec<Object>)]
    pub log: Json,
    /// Statements of the tool that failed or were refused: `statement`, `code`, `sqlstate`, `message`, `hint`, the `line` and `column`
    /// of the fault, and `fix`, which says what to change.
    #[schema(value_type = Vec<Object>)]
    pub failed_statements: Json,
}

impl AuditReader {
    /// The texts of a call, where there were any and they are still kept.
    pub async fn texts(&self, principal: &Principal, call_id: Uuid) -> Result<Option<CallTextsRow>, sqlx::Error> {
        self.log.flush().await;
        let mut tx = self.db.begin(principal).await?;
        let texts = sqlx::query_as(
            "select call_id, to_json(kept_at) #>> '{}' as kept_at, failure, faults, log, failed_statements
             from ai.tool_call_texts where call_id = $1",
        )
        .bind(call_id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(texts)
    }
}
