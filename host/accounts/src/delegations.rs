//! Table `ai.delegations`: what users let services do in their name. Tokens are kept as hashes only.

use std::error::Error as StdError;

use behalf_host_db::{AuditAction, AuditEvent, HostDb, HostTx};
use behalf_identity::{Delegation, DelegationRecord, DelegationStore, FoundDelegation, Principal, UserClaims};
use behalf_problem::{Kind, Problem};
use behalf_web::Page;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::{Value as Json, json};
use sqlx::FromRow;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user let a service act for them.
const DELEGATION_CREATED: AuditAction = AuditAction::new("delegation.created");
/// A user revoked a delegation.
const DELEGATION_REVOKED: AuditAction = AuditAction::new("delegation.revoked");

/// Delegations of one user that are valid at once: more than anybody looks after.
const MAX_VALID: i64 = 1_000;

/// A delegation to make.
#[derive(Clone, Debug)]
pub struct NewDelegation {
    /// The one agent.
    pub agent_id: Uuid,
    /// The only tools; all of the agent's where absent.
    pub tools: Option<Vec<String>>,
    /// The user's name for it.
    pub label: Option<String>,
    /// How many runs it may begin.
    pub max_runs: Option<i32>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// The HTTP request, for the audit log.
    pub request_id: Option<String>,
}

/// A delegation as clients see it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = Delegation)]
pub struct DelegationRow {
    /// Its id.
    pub id: Uuid,
    /// The user in whose name the service acts.
    pub user_id: Uuid,
    /// The one agent.
    pub agent_id: Uuid,
    /// The only tools; all of the agent's where absent.
    pub tools: Option<Vec<String>>,
    /// The user's name for it.
    pub label: Option<String>,
    /// How many runs it may begin; any number where absent.
    pub max_runs: Option<i32>,
    /// Runs that it began.
    pub runs_started: i32,
    /// Requests made with it.
    pub use_count: i64,
    /// RFC 3339.
    pub expires_at: String,
    /// RFC 3339; absent while it is not revoked.
    pub revoked_at: Option<String>,
    /// RFC 3339.
    pub last_used_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// Why a delegation is not made.
#[derive(Debug, Error)]
pub enum DelegateError {
    /// There is no such agent.
    #[error("Agent not found")]
    NoAgent,
    /// The caller is not a user with a token of their own.
    #[error("only a user's own token may delegate; the service role acts for users with X-Behalf-Act-As")]
    NotInPerson,
    /// The user has as many delegations as one may have.
    #[error("you have as many delegations as one may have; revoke some with DELETE /api/delegations/{{id}}")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Problem for DelegateError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoAgent => Kind::NotFound,
            Self::NotInPerson => Kind::Forbidden,
            Self::TooMany => Kind::Unprocessable,
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NoAgent | Self::NotInPerson | Self::TooMany => self.to_string(),
            Self::Database(error) => error.detail(),
        }
    }
}

/// Makes, reads and revokes delegations.
#[derive(Clone, Debug)]
pub struct Delegations {
    db: HostDb,
}

macro_rules! columns {
    () => {
        "id, user_id, agent_id, tools, label, max_runs, runs_started, use_count, to_json(expires_at) #>> '{}' as expires_at,
         to_json(revoked_at) #>> '{}' as revoked_at, to_json(last_used_at) #>> '{}' as last_used_at,
         to_json(created_at) #>> '{}' as created_at"
    };
}

/// Whether the user of a delegation is banned or gone, as far as the project's `auth.users` says. It has no users of other issuers,
/// whose claims have `behalf_sub`.
macro_rules! is_suspended {
    () => {
        "(coalesce((behalf.auth_user(user_id) ->> 'suspended')::boolean, false) and not claims ? 'behalf_sub')"
    };
}

impl Delegations {
    /// The delegations in `db`.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Makes a delegation of the principal's, whose token has this hash. It keeps what the user's token said of the user, so
    /// that policies on claims hold for the service as they did for the user; or what a later token said that is known.
    pub async fn create(
        &self,
        principal: &Principal,
        new: &NewDelegation,
        token_sha256: [u8; 32],
    ) -> Result<DelegationRow, DelegateError> {
        let verified = principal.verified_claims().ok_or(DelegateError::NotInPerson)?;
        let mut tx = self.db.begin(principal).await?;
        check(&mut tx, principal, new.agent_id).await?;
        let row: DelegationRow = sqlx::query_as(concat!(
            "with said (claims, issued_at) as (
                (select $8::jsonb, to_timestamp($9)) union all
                (select claims, issued_at from ai.verified_claims where user_id = $1)
             )
             insert into ai.delegations
                (user_id, agent_id, token_sha256, tools, label, max_runs, expires_at, claims, claims_issued_at)
             select $1, $2, $3, $4, $5, $6, $7, claims, issued_at from said order by issued_at desc limit 1 returning ",
            columns!()
        ))
        .bind(verified.user())
        .bind(new.agent_id)
        .bind(token_sha256.as_slice())
        .bind(&new.tools)
        .bind(&new.label)
        .bind(new.max_runs)
        .bind(new.expires_at)
        .bind(verified.claims().to_json())
        .bind(verified.issued_at())
        .fetch_one(&mut *tx)
        .await?;
        let state = json!({
            "agent_id": row.agent_id, "tools": row.tools, "max_runs": row.max_runs, "expires_at": row.expires_at,
        });
        let details = json!({
            "agent_id": row.agent_id, "tools": row.tools, "expires_at": row.expires_at, "before": null, "after": state,
        });
        let request_id = new.request_id.as_deref();
        record(&mut tx, principal, DELEGATION_CREATED, &row, request_id, details).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Delegations that the caller may see, newest first.
    pub async fn list(&self, principal: &Principal, page: Page) -> Result<Vec<DelegationRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let rows = sqlx::query_as(concat!(
            "select ",
            columns!(),
            " from ai.delegations order by delegations.created_at desc, id limit $1 offset $2"
        ))
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// The delegation of this id; none where the caller may see none.
    pub async fn get(&self, principal: &Principal, id: Uuid) -> Result<Option<DelegationRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let row = sqlx::query_as(concat!("select ", columns!(), " from ai.delegations where id = $1"))
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Revokes a delegation for good; none where the caller may see none. Revoking it again changes nothing.
    pub async fn revoke(
        &self,
        principal: &Principal,
        id: Uuid,
        request_id: Option<&str>,
    ) -> Result<Option<DelegationRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let row: Option<DelegationRow> = sqlx::query_as(concat!(
            "update ai.delegations set revoked_at = now() where id = $1 and revoked_at is null returning ",
            columns!()
        ))
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            drop(tx);
            return self.get(principal, id).await;
        };
        let details = json!({ "before": { "revoked_at": null }, "after": { "revoked_at": row.revoked_at } });
        record(&mut tx, principal, DELEGATION_REVOKED, &row, request_id, details).await?;
        tx.commit().await?;
        Ok(Some(row))
    }

    /// Gives the user's valid delegations the claims of a later token, in the transaction of a run that the user begins in
    /// person. Changes nothing for other callers, and nothing where the token is not a later one.
    pub(crate) async fn refresh_claims(&self, tx: &mut HostTx, principal: &Principal) -> Result<(), sqlx::Error> {
        let Some(verified) = principal.verified_claims() else { return Ok(()) };
        sqlx::query(
            "update ai.delegations set claims = $2, claims_issued_at = to_timestamp($3)
             where user_id = $1 and revoked_at is null and expires_at > now() and claims_issued_at < to_timestamp($3)",
        )
        .bind(verified.user())
        .bind(verified.claims().to_json())
        .bind(verified.issued_at())
        .execute(&mut **tx)
        .await
        .map(drop)
    }

    /// Whether the principal's delegation is neither revoked nor expired, and its user not suspended, by one look at its key.
    /// True for callers without a delegation.
    pub async fn is_valid(&self, principal: &Principal) -> Result<bool, sqlx::Error> {
        let Some(delegation) = principal.delegation() else { return Ok(true) };
        let mut tx = self.db.begin(principal).await?;
        let is_valid = sqlx::query_scalar(concat!(
            "select exists (select from ai.delegations where id = $1 and revoked_at is null and expires_at > now()
                and not ",
            is_suspended!(),
            ")"
        ))
        .bind(delegation.id)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(is_valid)
    }

    /// Counts a run that a delegation begins, in the transaction that begins it. False where it may begin none: it is revoked
    /// or expired, or has begun all of its runs.
    pub(crate) async fn count_run(&self, tx: &mut HostTx, principal: &Principal) -> Result<bool, sqlx::Error> {
        let Some(delegation) = principal.delegation() else { return Ok(true) };
        let counted = sqlx::query(concat!(
            "update ai.delegations set runs_started = runs_started + 1
             where id = $1 and revoked_at is null and expires_at > now()
               and (max_runs is null or runs_started < max_runs) and not ",
            is_suspended!()
        ))
        .bind(delegation.id)
        .execute(&mut **tx)
        .await?;
        Ok(counted.rows_affected() > 0)
    }

    async fn find_by_token(&self, token_sha256: [u8; 32]) -> Result<FoundDelegation, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        // The statement that finds the delegation counts the use, so that none is forgotten. If the user was seen with a later
        // token since, the delegation has its claims from now on.
        let found: Option<UsedDelegation> = sqlx::query_as(concat!(
            "with valid as (
                select id, user_id, claims_issued_at, ",
            is_suspended!(),
            " as is_suspended from ai.delegations
                where token_sha256 = $1 and revoked_at is null and expires_at > now()
             ), used as (
                update ai.delegations d set last_used_at = now(), use_count = use_count + 1,
                    claims = coalesce(l.claims, d.claims), claims_issued_at = coalesce(l.issued_at, d.claims_issued_at)
                from valid v left join ai.verified_claims l on l.user_id = v.user_id and l.issued_at > v.claims_issued_at
                where d.id = v.id and not v.is_suspended and d.revoked_at is null and d.expires_at > now()
                returning d.id, d.user_id, agent_id, tools, d.claims, floor(extract(epoch from expires_at))::bigint as expires_at
             )
             select id, user_id, agent_id, tools, claims, expires_at from used
             union all
             select id, null, null, null, null, null from valid where is_suspended"
        ))
        .bind(token_sha256.as_slice())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(found.map_or(FoundDelegation::Over, UsedDelegation::found))
    }
}

/// A delegation whose token was used; only its id where its user is suspended.
#[derive(FromRow)]
struct UsedDelegation {
    id: Uuid,
    user_id: Option<Uuid>,
    agent_id: Option<Uuid>,
    tools: Option<Vec<String>>,
    claims: Option<Json>,
    expires_at: Option<i64>,
}

impl UsedDelegation {
    fn found(self) -> FoundDelegation {
        let (Some(user), Some(agent), Some(expires_at)) = (self.user_id, self.agent_id, self.expires_at) else {
            return FoundDelegation::Suspended;
        };
        // The host wrote the claims. If they cannot be read all the same, policies on them show nothing.
        let claims = self.claims.map(UserClaims::read_stored).and_then(Result::ok).unwrap_or_default();
        let delegation = Delegation { id: self.id, agent, tools: self.tools };
        FoundDelegation::Valid(DelegationRecord { delegation, user, claims, expires_at })
    }
}

impl DelegationStore for Delegations {
    fn find(&self, token_sha256: [u8; 32]) -> BoxFuture<'_, Result<FoundDelegation, Box<dyn StdError + Send + Sync>>> {
        async move { Ok(self.find_by_token(token_sha256).await?) }.boxed()
    }
}

/// Checks that the caller may see the agent, and has not too many delegations.
async fn check(tx: &mut HostTx, principal: &Principal, agent: Uuid) -> Result<(), DelegateError> {
    let (agent_exists, valid): (bool, i64) = sqlx::query_as(
        "select exists (select from ai.agents where id = $1), (select count(*) from ai.delegations
         where user_id = $2 and revoked_at is null and expires_at > now())",
    )
    .bind(agent)
    .bind(principal.subject())
    .fetch_one(&mut **tx)
    .await?;
    if !agent_exists {
        return Err(DelegateError::NoAgent);
    }
    if valid >= MAX_VALID {
        return Err(DelegateError::TooMany);
    }
    Ok(())
}

/// Adds what was done to the audit log, in the transaction that does it.
async fn record(
    tx: &mut HostTx,
    principal: &Principal,
    action: AuditAction,
    row: &DelegationRow,
    request_id: Option<&str>,
    details: Json,
) -> Result<(), sqlx::Error> {
    let object = format!("delegation:{}", row.id);
    let event = AuditEvent { action, user_id: Some(row.user_id), object: Some(&object), request_id, details };
    event.insert(tx, principal).await
}
