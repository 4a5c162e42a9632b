//! Tables `auth.sessions` and `auth.mfa_amr_claims`: who is signed in, and how they proved who they are.

use std::time::Duration;

use behalf_host_db::AuthTx;
use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::client::Client;
use crate::error::AuthError;
use crate::session::{Method, Which};

/// A row of `auth.sessions`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct SessionRow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) created_at: Option<DateTime<Utc>>,
    /// In UTC; the column has no time zone.
    pub(crate) refreshed_at: Option<NaiveDateTime>,
    pub(crate) not_after: Option<DateTime<Utc>>,
    pub(crate) aal: Option<String>,
    /// The key by which each refresh token follows from the one before it.
    pub(crate) refresh_token_hmac_key: Option<String>,
}

/// An entry of `amr`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Proof {
    pub(crate) method: String,
    pub(crate) at: DateTime<Utc>,
}

macro_rules! session_columns {
    () => {
        "id, user_id, created_at, refreshed_at, not_after, aal::text as aal, refresh_token_hmac_key"
    };
}

/// Adds a session.
pub(crate) async fn add(
    tx: &mut AuthTx,
    user: Uuid,
    key: &str,
    lifetime: Option<Duration>,
    client: &Client,
) -> Result<SessionRow, AuthError> {
    let row = sqlx::query_as(concat!(
        "insert into auth.sessions
            (id, user_id, created_at, updated_at, aal, not_after, user_agent, ip, refresh_token_hmac_key)
         values ($1, $2, now(), now(), 'aal1', now() + $3 * interval '1 second', $4, $5::text::inet, $6)
         returning ",
        session_columns!()
    ));
    let row = row.bind(Uuid::new_v4()).bind(user).bind(lifetime.map(|time| time.as_secs_f64()));
    Ok(row.bind(&client.user_agent).bind(client.ip.to_string()).bind(key).fetch_one(&mut **tx).await?)
}

/// The session of this id, locked until the transaction ends.
pub(crate) async fn lock(tx: &mut AuthTx, id: Uuid) -> Result<Option<SessionRow>, AuthError> {
    let row =
        sqlx::query_as(concat!("select ", session_columns!(), " from auth.sessions where id = $1 for no key update"));
    Ok(row.bind(id).fetch_optional(&mut **tx).await?)
}

/// The same, and nothing where another transaction has it locked.
pub(crate) async fn try_lock(tx: &mut AuthTx, id: Uuid) -> Result<Option<SessionRow>, AuthError> {
    let row = sqlx::query_as(concat!(
        "select ",
        session_columns!(),
        " from auth.sessions where id = $1 for no key update skip locked"
    ));
    Ok(row.bind(id).fetch_optional(&mut **tx).await?)
}

/// Whether a session exists and has not ended.
pub(crate) async fn is_live(tx: &mut AuthTx, id: Uuid, user: Uuid) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar(
        "select exists (select from auth.sessions where id = $1 and coalesce(not_after > now(), true))
         or not (exists (select from auth.users where id = $2)
                 or behalf.was_user($2))",
    );
    found.bind(id).bind(user).fetch_one(&mut **tx).await
}

/// Gives a session a key for its refresh tokens. Those of an import have none.
pub(crate) async fn set_key(tx: &mut AuthTx, id: Uuid, key: &str) -> Result<(), AuthError> {
    sqlx::query("update auth.sessions set refresh_token_hmac_key = $2 where id = $1")
        .bind(id)
        .bind(key)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes down that a session was refreshed, and by whom.
pub(crate) async fn refreshed(tx: &mut AuthTx, id: Uuid, client: &Client) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.sessions
         set refreshed_at = now() at time zone 'utc', updated_at = now(), user_agent = $2, ip = $3::text::inet where id = $1",
    )
    .bind(id)
    .bind(&client.user_agent)
    .bind(client.ip.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down a proof, and `aal2` where it is a second factor.
pub(crate) async fn prove(tx: &mut AuthTx, id: Uuid, method: Method) -> Result<(), AuthError> {
    sqlx::query(
        "insert into auth.mfa_amr_claims (id, session_id, created_at, updated_at, authentication_method)
         values ($1, $2, now(), now(), $3)
         on conflict (session_id, authentication_method) do update set updated_at = excluded.updated_at",
    )
    .bind(Uuid::new_v4())
    .bind(id)
    .bind(method.as_str())
    .execute(&mut **tx)
    .await?;
    if method == Method::Totp {
        sqlx::query("update auth.sessions set aal = 'aal2', updated_at = now() where id = $1")
            .bind(id)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Takes the second level from a session.
pub(crate) async fn lower(tx: &mut AuthTx, session: &mut SessionRow) -> Result<(), AuthError> {
    sqlx::query(
        "delete from auth.mfa_amr_claims where session_id = $1 and authentication_method in ('totp', 'mfa/phone', 'mfa/webauthn')",
    )
    .bind(session.id)
    .execute(&mut **tx)
    .await?;
    sqlx::query("update auth.sessions set aal = 'aal1', factor_id = null, updated_at = now() where id = $1")
        .bind(session.id)
        .execute(&mut **tx)
        .await?;
    session.aal = Some("aal1".to_owned());
    Ok(())
}

/// The proofs of a session, newest first.
pub(crate) async fn proofs(tx: &mut AuthTx, id: Uuid) -> Result<Vec<Proof>, AuthError> {
    let rows = sqlx::query_as(
        "select authentication_method as method, updated_at as at from auth.mfa_amr_claims
         where session_id = $1 order by updated_at desc, authentication_method",
    );
    Ok(rows.bind(id).fetch_all(&mut **tx).await?)
}

/// Ends sessions of a user. A trigger tells every host when the transaction commits.
pub(crate) async fn end(tx: &mut AuthTx, user: Uuid, which: Which) -> Result<(), AuthError> {
    let (only, but) = match which {
        Which::All => (None, None),
        Which::One(id) => (Some(id), None),
        Which::AllBut(id) => (None, Some(id)),
    };
    sqlx::query(
        "delete from auth.sessions
         where user_id = $1 and ($2::uuid is null or id = $2) and ($3::uuid is null or id <> $3)",
    )
    .bind(user)
    .bind(only)
    .bind(but)
    .execute(&mut **tx)
    .await?;
    // Those of an import may belong to no session.
    if only.is_none() {
        sqlx::query("delete from auth.refresh_tokens where user_id = $1 and session_id is null")
            .bind(user.to_string())
            .execute(&mut **tx)
            .await?;
        // A sign-in or a link under way would outlive them.
        sqlx::query("delete from auth.flow_state where user_id = $1 or linking_target_id = $1")
            .bind(user)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Deletes sessions that ended by themselves a day ago.
pub(crate) async fn prune(tx: &mut AuthTx, most: i64) -> Result<u64, sqlx::Error> {
    // Those that a request uses at this moment come next time.
    let pruned = sqlx::query(
        "delete from auth.sessions where id in (
            select id from auth.sessions where not_after < now() - interval '1 day'
            limit $1 for update skip locked)",
    )
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(pruned.rows_affected())
}
