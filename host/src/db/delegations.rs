//! Table `ai.delegations`: what users let services do in their name. Tokens are kept as hashes only.

use std::error::Error;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::audit_events::{self, AuditAction, AuditEntry};
use super::{Db, HostTx};
use crate::identity::{Delegation, DelegationRecord, DelegationStore, Principal};

/// Delegations of one user that stand at once: more than anybody looks after.
const MAX_STANDING: i64 = 1_000;

/// A delegation to make.
#[derive(Clone, Debug)]
pub struct NewDelegation {
    /// The one agent.
    pub agent_id: Uuid,
    /// The only tools; all of the agent's where absent.
    pub tools: Option<Vec<String>>,
    /// What the user calls it.
    pub label: Option<String>,
    /// Most runs it may begin.
    pub max_runs: Option<i32>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// The HTTP request, for the audit trail.
    pub request_id: Option<String>,
}

/// A delegation as clients see it.
#[derive(Clone, Debug, Serialize)]
pub struct DelegationRow {
    /// Its id.
    pub id: Uuid,
    /// In whose name.
    pub user_id: Uuid,
    /// The one agent.
    pub agent_id: Uuid,
    /// The only tools; all of the agent's where absent.
    pub tools: Option<Vec<String>>,
    /// What the user calls it.
    pub label: Option<String>,
    /// Most runs it may begin.
    pub max_runs: Option<i32>,
    /// Runs it began.
    pub runs_started: i32,
    /// Requests made with it.
    pub use_count: i64,
    /// RFC 3339.
    pub expires_at: String,
    /// RFC 3339; absent while it stands.
    pub revoked_at: Option<String>,
    /// RFC 3339.
    pub last_used_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// What came of making one.
#[derive(Clone, Debug)]
pub enum Delegated {
    /// It stands.
    Made(Box<DelegationRow>),
    /// There is no such agent.
    NoAgent,
    /// The user has as many as one may have.
    TooMany,
}

macro_rules! columns {
    () => {
        "id, user_id, agent_id, tools, label, max_runs, runs_started, use_count, to_json(expires_at) #>> '{}' as expires_at,
         to_json(revoked_at) #>> '{}' as revoked_at, to_json(last_used_at) #>> '{}' as last_used_at,
         to_json(created_at) #>> '{}' as created_at"
    };
}

impl Db {
    /// Makes a delegation of the principal's, whose token has this hash.
    pub async fn create_delegation(
        &self,
        principal: &Principal,
        new: &NewDelegation,
        token_sha256: [u8; 32],
    ) -> Result<Delegated, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let standing: (bool, i64) = sqlx::query_as(
            "select exists (select from ai.agents where id = $1), (select count(*) from ai.delegations
             where user_id = $2 and revoked_at is null and expires_at > now())",
        )
        .bind(new.agent_id)
        .bind(principal.subject())
        .fetch_one(&mut *tx)
        .await?;
        match standing {
            (false, _) => return Ok(Delegated::NoAgent),
            (_, MAX_STANDING..) => return Ok(Delegated::TooMany),
            _ => {}
        }
        let row = sqlx::query(concat!(
            "insert into ai.delegations (user_id, agent_id, token_sha256, tools, label, max_runs, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7) returning ",
            columns!()
        ))
        .bind(principal.subject())
        .bind(new.agent_id)
        .bind(token_sha256.as_slice())
        .bind(&new.tools)
        .bind(&new.label)
        .bind(new.max_runs)
        .bind(new.expires_at)
        .fetch_one(&mut *tx)
        .await?;
        let row = read(&row)?;
        let details = json!({ "agent_id": row.agent_id, "tools": row.tools, "expires_at": row.expires_at });
        note(&mut tx, principal, AuditAction::DelegationCreated, &row, new.request_id.as_deref(), &details).await?;
        tx.commit().await?;
        Ok(Delegated::Made(Box::new(row)))
    }

    /// Delegations that the caller may see, newest first.
    pub async fn delegations(
        &self,
        principal: &Principal,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<DelegationRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(concat!(
            "select ",
            columns!(),
            " from ai.delegations order by delegations.created_at desc, id limit $1 offset $2"
        ))
        .bind(limit)
        .bind(offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.iter().map(read).collect()
    }

    /// The delegation of this id.
    pub async fn delegation(&self, principal: &Principal, id: Uuid) -> Result<Option<DelegationRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(concat!("select ", columns!(), " from ai.delegations where id = $1"))
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        row.as_ref().map(read).transpose()
    }

    /// Takes a delegation back, for good. None where the caller sees none; again it changes nothing.
    pub async fn revoke_delegation(
        &self,
        principal: &Principal,
        id: Uuid,
        request_id: Option<&str>,
    ) -> Result<Option<DelegationRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(concat!(
            "update ai.delegations set revoked_at = now() where id = $1 and revoked_at is null returning ",
            columns!()
        ))
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            drop(tx);
            return self.delegation(principal, id).await;
        };
        let row = read(&row)?;
        note(&mut tx, principal, AuditAction::DelegationRevoked, &row, request_id, &json!({})).await?;
        tx.commit().await?;
        Ok(Some(row))
    }

    /// Whether what the principal is allowed still stands: true for all but delegated callers, whose delegation is looked
    /// up by its key. Asked before each tool call of a run, so that taking back holds from the next one.
    pub async fn still_stands(&self, principal: &Principal) -> Result<bool, sqlx::Error> {
        let Some(delegation) = principal.delegation() else { return Ok(true) };
        let mut tx = self.begin(principal).await?;
        let stands: bool = sqlx::query_scalar(
            "select exists (select from ai.delegations where id = $1 and revoked_at is null and expires_at > now())",
        )
        .bind(delegation.id)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(stands)
    }
}

/// Counts a run that a delegation begins, in the transaction that begins it. False where it may begin none: it is
/// revoked, over, or has begun all of its runs.
pub(super) async fn spend_run(tx: &mut HostTx, principal: &Principal) -> Result<bool, sqlx::Error> {
    let Some(delegation) = principal.delegation() else { return Ok(true) };
    let done = sqlx::query(
        "update ai.delegations set runs_started = runs_started + 1
         where id = $1 and revoked_at is null and expires_at > now() and (max_runs is null or runs_started < max_runs)",
    )
    .bind(delegation.id)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

impl DelegationStore for Db {
    fn find(
        &self,
        token_sha256: [u8; 32],
    ) -> BoxFuture<'_, Result<Option<DelegationRecord>, Box<dyn Error + Send + Sync>>> {
        async move {
            let mut tx = self.begin_as_host().await?;
            // The look-up is the use, so that none is forgotten.
            let row = sqlx::query(
                "update ai.delegations set last_used_at = now(), use_count = use_count + 1
                 where token_sha256 = $1 and revoked_at is null and expires_at > now()
                 returning id, user_id, agent_id, tools, floor(extract(epoch from expires_at))::bigint as ends",
            )
            .bind(token_sha256.as_slice())
            .fetch_optional(&mut *tx)
            .await?;
            tx.commit().await?;
            let Some(row) = row else { return Ok(None) };
            let delegation =
                Delegation { id: row.try_get("id")?, agent: row.try_get("agent_id")?, tools: row.try_get("tools")? };
            Ok(Some(DelegationRecord { delegation, user: row.try_get("user_id")?, expires_at: row.try_get("ends")? }))
        }
        .boxed()
    }
}

async fn note(
    tx: &mut HostTx,
    principal: &Principal,
    action: AuditAction,
    row: &DelegationRow,
    request_id: Option<&str>,
    details: &serde_json::Value,
) -> Result<(), sqlx::Error> {
    let (actor, object) = (principal.actor(), format!("delegation:{}", row.id));
    let entry =
        AuditEntry { action, actor: &actor, user_id: Some(row.user_id), object: Some(&object), request_id, details };
    audit_events::insert(tx, entry).await
}

fn read(row: &PgRow) -> Result<DelegationRow, sqlx::Error> {
    Ok(DelegationRow {
        id: row.try_get("id")?,
        user_id: row.try_get("user_id")?,
        agent_id: row.try_get("agent_id")?,
        tools: row.try_get("tools")?,
        label: row.try_get("label")?,
        max_runs: row.try_get("max_runs")?,
        runs_started: row.try_get("runs_started")?,
        use_count: row.try_get("use_count")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
        last_used_at: row.try_get("last_used_at")?,
        created_at: row.try_get("created_at")?,
    })
}
