//! Table `auth.refresh_tokens`. The table has hashes of the tokens, so that whoever reads it, or a backup of it, cannot sign in.
//! Rows of an import have the tokens themselves; such a token works once, and then its row has the hash as well.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_host_db::AuthTx;
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;
use uuid::Uuid;

use super::users::INSTANCE;
use crate::error::AuthError;

/// How a stored hash begins. No token begins like this.
const HASHED: &str = "sha256:";

/// The longest token that is looked up.
const MAX_TOKEN_BYTES: usize = 255;

/// A row of `auth.refresh_tokens`.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct TokenRow {
    pub(crate) id: i64,
    /// The hash, or of an import the token.
    pub(crate) token: String,
    pub(crate) session_id: Option<Uuid>,
    /// Whether it was used.
    pub(crate) revoked: bool,
    /// Whether it was used so shortly ago that its answer may have been lost.
    pub(crate) in_grace: bool,
}

/// A token as its row stores it.
pub(crate) fn stored(token: &str) -> String {
    format!("{HASHED}{}", URL_SAFE_NO_PAD.encode(Sha256::digest(token)))
}

/// The row of a token. `grace` is for how long a used one may be used again.
pub(crate) async fn find(tx: &mut AuthTx, token: &str, grace: Duration) -> Result<Option<TokenRow>, AuthError> {
    // What stands in the table must not be a token itself.
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES || token.starts_with(HASHED) {
        return Ok(None);
    }
    let row = sqlx::query_as(
        "select id, token, session_id, coalesce(revoked, false) as revoked,
            coalesce(updated_at + $3 * interval '1 second' > clock_timestamp(), false) as in_grace
         from auth.refresh_tokens where token in ($1, $2) order by id limit 1",
    );
    Ok(row.bind(stored(token)).bind(token).bind(grace.as_secs_f64()).fetch_optional(&mut **tx).await?)
}

/// The token of a session that was not used yet.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ActiveToken {
    /// As its row stores it.
    pub(crate) token: String,
    /// The stored form of the one before it.
    pub(crate) parent: Option<String>,
}

/// The token of a session that was not used yet.
pub(crate) async fn active(tx: &mut AuthTx, session: Uuid) -> Result<Option<ActiveToken>, AuthError> {
    let row = sqlx::query_as(
        "select token, parent from auth.refresh_tokens
         where session_id = $1 and revoked is not true order by id desc limit 1",
    );
    Ok(row.bind(session).fetch_optional(&mut **tx).await?)
}

/// Marks every token of a session as used that is not yet.
pub(crate) async fn use_up(tx: &mut AuthTx, session: Uuid) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.refresh_tokens set revoked = true, updated_at = clock_timestamp()
         where session_id = $1 and revoked is not true",
    )
    .bind(session)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Marks every token of a session as used that is not yet, so long ago that none may be used again: their answers were lost, and
/// another token takes their place.
pub(crate) async fn give_up(tx: &mut AuthTx, session: Uuid, grace: Duration) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.refresh_tokens set revoked = true, updated_at = clock_timestamp() - $2 * interval '1 second'
         where session_id = $1 and revoked is not true",
    )
    .bind(session)
    .bind(grace.as_secs_f64())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes that a used token was used again just now, and replaces the token of an import by its hash.
pub(crate) async fn use_again(tx: &mut AuthTx, id: i64, token: &str) -> Result<(), AuthError> {
    sqlx::query("update auth.refresh_tokens set token = $2, updated_at = clock_timestamp() where id = $1")
        .bind(id)
        .bind(stored(token))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Replaces the token of an import by its hash.
pub(crate) async fn hash_row(tx: &mut AuthTx, id: i64, token: &str) -> Result<(), AuthError> {
    sqlx::query("update auth.refresh_tokens set token = $2 where id = $1")
        .bind(id)
        .bind(stored(token))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Adds a token of a session; `parent` is the stored form of the one before it.
pub(crate) async fn add(
    tx: &mut AuthTx,
    user: Uuid,
    session: Uuid,
    token: &str,
    parent: Option<&str>,
) -> Result<(), AuthError> {
    sqlx::query(
        "insert into auth.refresh_tokens
            (instance_id, token, user_id, revoked, created_at, updated_at, parent, session_id)
         values ($1, $2, $3, false, now(), now(), $4, $5)",
    )
    .bind(INSTANCE)
    .bind(stored(token))
    .bind(user.to_string())
    .bind(parent)
    .bind(session)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes used tokens that are older than this. A thief who comes with one later is only told that it is unknown.
pub(crate) async fn prune(tx: &mut AuthTx, age: Duration, most: i64) -> Result<u64, sqlx::Error> {
    // Those that a request uses at this moment come next time.
    let pruned = sqlx::query(
        "delete from auth.refresh_tokens where id in (
            select id from auth.refresh_tokens where revoked and updated_at < now() - $1 * interval '1 second'
            limit $2 for update skip locked)",
    )
    .bind(age.as_secs_f64())
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(pruned.rows_affected())
}
