//! Table `ai.audit_events`: who did what in whose name, beside tool calls. Rows are added and never changed.

use serde_json::Value as Json;
use sqlx::{Postgres, Row, Transaction};

use super::Db;
use crate::identity::Principal;

/// Something that the audit trail keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// A run began.
    RunStarted,
    /// A user let a service act for them.
    DelegationCreated,
    /// They took it back.
    DelegationRevoked,
    /// A request came with a delegation's token.
    DelegationUsed,
    /// The service role made a request for a user.
    ActAsUsed,
    /// A model provider's key was stored for an agent.
    ProviderKeyStored,
    /// One was deleted.
    ProviderKeyDeleted,
    /// Credits were granted.
    CreditsGranted,
}

impl AuditAction {
    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunStarted => "run.started",
            Self::DelegationCreated => "delegation.created",
            Self::DelegationRevoked => "delegation.revoked",
            Self::DelegationUsed => "delegation.used",
            Self::ActAsUsed => "act_as.used",
            Self::ProviderKeyStored => "provider_key.stored",
            Self::ProviderKeyDeleted => "provider_key.deleted",
            Self::CreditsGranted => "credits.granted",
        }
    }
}

/// One entry to add. `details` hold names, numbers and ids; never a secret, a prompt or row contents.
#[derive(Clone, Copy, Debug)]
pub(super) struct AuditEntry<'a> {
    pub(super) action: AuditAction,
    pub(super) actor: &'a str,
    pub(super) user_id: Option<uuid::Uuid>,
    pub(super) object: Option<&'a str>,
    pub(super) request_id: Option<&'a str>,
    pub(super) details: &'a Json,
}

impl Db {
    /// Notes that a principal made a request in somebody else's name.
    pub async fn note_acting(
        &self,
        principal: &Principal,
        action: AuditAction,
        request_id: Option<&str>,
        route: &str,
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let (actor, details) = (principal.actor(), serde_json::json!({ "route": route }));
        let entry = AuditEntry {
            action,
            actor: &actor,
            user_id: principal.subject(),
            object: None,
            request_id,
            details: &details,
        };
        insert(&mut tx, entry).await?;
        tx.commit().await
    }

    /// The newest entries that the caller may see.
    pub async fn audit_events(&self, principal: &Principal, limit: i64, offset: i64) -> Result<Vec<Json>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query("select to_jsonb(e) from ai.audit_events e order by id desc limit $1 offset $2")
            .bind(limit)
            .bind(offset)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}

/// Adds an entry in the transaction of what it tells of, so that neither is there without the other.
pub(super) async fn insert(tx: &mut Transaction<'_, Postgres>, entry: AuditEntry<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into ai.audit_events (action, actor, user_id, object, request_id, details) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(entry.action.as_str())
    .bind(entry.actor)
    .bind(entry.user_id)
    .bind(entry.object)
    .bind(entry.request_id)
    .bind(entry.details)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// Notes that a run began, in the transaction that begins it.
pub(super) async fn run_started(
    tx: &mut Transaction<'_, Postgres>,
    principal: &Principal,
    run_id: &str,
    agent: uuid::Uuid,
    request_id: Option<&str>,
) -> Result<(), sqlx::Error> {
    let (actor, details) = (principal.actor(), serde_json::json!({ "agent_id": agent }));
    let entry = AuditEntry {
        action: AuditAction::RunStarted,
        actor: &actor,
        user_id: principal.subject(),
        object: Some(run_id),
        request_id,
        details: &details,
    };
    insert(tx, entry).await
}
