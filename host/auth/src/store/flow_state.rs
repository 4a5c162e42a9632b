//! Table `auth.flow_state`: sign-ins that are under way, by letter or at a provider.
//!
//! Until the provider answers, `provider_access_token` holds the verifier that this host will show the provider. Taking it away is
//! what makes a state valid once.

use behalf_host_db::AuthTx;
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::AuthError;
use crate::session::Method;

/// A flow to add.
#[derive(Clone, Debug)]
pub(crate) struct NewFlow<'a> {
    /// Its id.
    pub(crate) id: Uuid,
    /// The user, where the flow begins with one: a letter.
    pub(crate) user: Option<Uuid>,
    /// How the user will have proved who they are.
    pub(crate) method: Method,
    /// The provider, or the method where there is none.
    pub(crate) provider: &'a str,
    /// `code_challenge` and its method. Without them the flow ends with the session itself.
    pub(crate) challenge: Option<(&'a str, &'a str)>,
    /// Where it leads in the end.
    pub(crate) redirect: Option<&'a str>,
    /// What this host shows the provider at the end.
    pub(crate) verifier: Option<&'a str>,
    /// The signed-in user who gets the identity.
    pub(crate) linking: Option<Uuid>,
}

/// A row of `auth.flow_state`.
#[derive(Clone, FromRow)]
pub(crate) struct Flow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Option<Uuid>,
    pub(crate) authentication_method: String,
    pub(crate) provider_type: String,
    pub(crate) code_challenge: Option<String>,
    pub(crate) code_challenge_method: Option<String>,
    pub(crate) provider_access_token: Option<String>,
    pub(crate) provider_refresh_token: Option<String>,
    pub(crate) auth_code_issued_at: Option<DateTime<Utc>>,
    pub(crate) created_at: Option<DateTime<Utc>>,
    /// Where it leads in the end.
    pub(crate) referrer: Option<String>,
    pub(crate) linking_target_id: Option<Uuid>,
}

/// What the user proved at the end of a flow, until the app gets it for the code.
#[derive(Clone, Copy)]
pub(crate) struct Issued<'a> {
    /// The user.
    pub(crate) user: Option<Uuid>,
    /// The hash of the code.
    pub(crate) code_hash: &'a str,
    /// The provider's own tokens.
    pub(crate) access_token: Option<&'a str>,
    /// The provider's own refresh token.
    pub(crate) refresh_token: Option<&'a str>,
}

/// Adds a flow. It also forgets some of those that nobody ended, so that strangers who begin many do not
/// fill the table.
pub(crate) async fn add(tx: &mut AuthTx, flow: &NewFlow<'_>) -> Result<(), AuthError> {
    forget_old(tx).await?;
    let (challenge, challenge_method) = flow.challenge.unzip();
    sqlx::query(
        "insert into auth.flow_state (id, user_id, code_challenge, code_challenge_method, provider_type, \
         authentication_method, referrer, provider_access_token, linking_target_id, created_at, updated_at) \
         values ($1, $2, $3, $4::auth.code_challenge_method, $5, $6, $7, $8, $9, now(), now())",
    )
    .bind(flow.id)
    .bind(flow.user)
    .bind(challenge)
    .bind(challenge_method)
    .bind(flow.provider)
    .bind(flow.method.as_str())
    .bind(flow.redirect)
    .bind(flow.verifier)
    .bind(flow.linking)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The flow of this id, locked until the transaction ends, and its users before it.
pub(crate) async fn by_id(tx: &mut AuthTx, id: Uuid) -> Result<Option<Flow>, AuthError> {
    // Whoever ends the sessions of a user has the user's row, and then takes the flows.
    sqlx::query(
        "select from auth.users where id in (select user_id from auth.flow_state where id = $1
            union all select linking_target_id from auth.flow_state where id = $1) order by id for no key update",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    let found = sqlx::query_as(
        "select id, user_id, authentication_method, provider_type, code_challenge, \
         code_challenge_method::text as code_challenge_method, provider_access_token, provider_refresh_token, \
         auth_code_issued_at, created_at, referrer, linking_target_id \
         from auth.flow_state where id = $1 for update",
    );
    Ok(found.bind(id).fetch_optional(&mut **tx).await?)
}

/// The flow whose code has this hash, locked until the transaction ends, and its users before it.
pub(crate) async fn by_code(tx: &mut AuthTx, code_hash: &str) -> Result<Option<Flow>, AuthError> {
    sqlx::query(
        "select from auth.users where id in (select user_id from auth.flow_state where auth_code = $1
            union all select linking_target_id from auth.flow_state where auth_code = $1) order by id for no key update",
    )
    .bind(code_hash)
    .execute(&mut **tx)
    .await?;
    let found = sqlx::query_as(
        "select id, user_id, authentication_method, provider_type, code_challenge, \
         code_challenge_method::text as code_challenge_method, provider_access_token, provider_refresh_token, \
         auth_code_issued_at, created_at, referrer, linking_target_id \
         from auth.flow_state where auth_code = $1 for update",
    );
    Ok(found.bind(code_hash).fetch_optional(&mut **tx).await?)
}

/// Stores the code of a flow, once. False where there is no such flow, it has no challenge, or it has its code already.
pub(crate) async fn issue(tx: &mut AuthTx, id: Uuid, issued: Issued<'_>) -> Result<bool, AuthError> {
    let done = sqlx::query(
        "update auth.flow_state set user_id = coalesce($2, user_id), auth_code = $3, provider_access_token = $4, \
         provider_refresh_token = $5, auth_code_issued_at = now(), updated_at = now() \
         where id = $1 and auth_code_issued_at is null and code_challenge is not null \
         and coalesce($2, user_id) is not null",
    )
    .bind(id)
    .bind(issued.user)
    .bind(issued.code_hash)
    .bind(issued.access_token)
    .bind(issued.refresh_token)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a flow.
pub(crate) async fn remove(tx: &mut AuthTx, id: Uuid) -> Result<(), AuthError> {
    sqlx::query("delete from auth.flow_state where id = $1").bind(id).execute(&mut **tx).await?;
    Ok(())
}

/// Takes the verifier of a flow whose row is locked. Whoever comes second finds none.
pub(crate) async fn take_verifier(tx: &mut AuthTx, flow: &mut Flow) -> Result<Option<String>, AuthError> {
    let waits = flow.auth_code_issued_at.is_none() && flow.user_id.is_none();
    let Some(verifier) = flow.provider_access_token.take().filter(|_| waits) else { return Ok(None) };
    sqlx::query("update auth.flow_state set provider_access_token = null, updated_at = now() where id = $1")
        .bind(flow.id)
        .execute(&mut **tx)
        .await?;
    Ok(Some(verifier))
}

/// A sign-in at a provider is over after some minutes, and may hold the provider's tokens. Letters can take a day to be read.
async fn forget_old(tx: &mut AuthTx) -> Result<(), AuthError> {
    sqlx::query(
        "delete from auth.flow_state where id in (select id from auth.flow_state \
         where created_at < now() - interval '1 hour' \
         and (authentication_method = 'oauth' or created_at < now() - interval '2 days') \
         order by created_at limit 20 for update skip locked)",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Flow {
    /// Whether it ends with a code, and not with the session itself.
    pub(crate) fn has_challenge(&self) -> bool {
        self.code_challenge.is_some()
    }
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("id", &self.id).field("provider", &self.provider_type).finish_non_exhaustive()
    }
}
