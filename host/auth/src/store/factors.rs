//! Tables `auth.mfa_factors` and `auth.mfa_challenges`.

use std::net::IpAddr;

use behalf_host_db::AuthTx;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::AuthError;
use crate::user::Factor;

/// How long a challenge is valid, and how long a factor that nobody challenged is kept, as at GoTrue.
pub(crate) const CHALLENGE_LIFETIME: TimeDelta = TimeDelta::seconds(300);

macro_rules! columns {
    () => {
        "id, user_id, friendly_name, factor_type::text as factor_type, status::text as status, created_at, updated_at"
    };
}

/// A challenge of a factor.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Challenge {
    pub(crate) id: Uuid,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) verified_at: Option<DateTime<Utc>>,
    /// Whether the same address asked for it.
    pub(crate) same_address: bool,
}

impl Challenge {
    /// When it ends.
    pub(crate) fn ends_at(&self) -> DateTime<Utc> {
        self.created_at + CHALLENGE_LIFETIME
    }
}

impl Factor {
    /// Whether a code of it was seen.
    pub(crate) fn is_verified(&self) -> bool {
        self.status == "verified"
    }
}

/// The factors of a user, oldest first.
pub(crate) async fn of_user(tx: &mut AuthTx, user: Uuid) -> Result<Vec<Factor>, AuthError> {
    let query = concat!("select ", columns!(), " from auth.mfa_factors where user_id = $1 order by created_at, id");
    Ok(sqlx::query_as(query).bind(user).fetch_all(&mut **tx).await?)
}

/// The factors of several users.
pub(crate) async fn of_users(tx: &mut AuthTx, users: &[Uuid]) -> Result<Vec<Factor>, AuthError> {
    let query =
        concat!("select ", columns!(), " from auth.mfa_factors where user_id = any($1) order by created_at, id");
    Ok(sqlx::query_as(query).bind(users).fetch_all(&mut **tx).await?)
}

/// A factor of this user, locked until the transaction ends.
pub(crate) async fn find(tx: &mut AuthTx, user: Uuid, id: Uuid) -> Result<Option<Factor>, AuthError> {
    let query =
        concat!("select ", columns!(), " from auth.mfa_factors where id = $1 and user_id = $2 for no key update");
    Ok(sqlx::query_as(query).bind(id).bind(user).fetch_optional(&mut **tx).await?)
}

/// Adds a factor that is not verified yet.
pub(crate) async fn add(tx: &mut AuthTx, id: Uuid, user: Uuid, name: &str, secret: &str) -> Result<Factor, AuthError> {
    let query = concat!(
        "insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret)
         values ($1, $2, $3, 'totp', 'unverified', now(), now(), $4) returning ",
        columns!()
    );
    Ok(sqlx::query_as(query).bind(id).bind(user).bind(name).bind(secret).fetch_one(&mut **tx).await?)
}

/// The stored secret of a factor, as [`super::factor_secrets`] wrote it.
pub(crate) async fn secret(tx: &mut AuthTx, id: Uuid) -> Result<Option<String>, AuthError> {
    let found: Option<Option<String>> = sqlx::query_scalar("select secret from auth.mfa_factors where id = $1")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(found.flatten())
}

/// Stores a secret that was sealed with another key.
pub(crate) async fn set_secret(tx: &mut AuthTx, id: Uuid, secret: &str) -> Result<(), AuthError> {
    sqlx::query("update auth.mfa_factors set secret = $2 where id = $1")
        .bind(id)
        .bind(secret)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Marks a factor as verified, and deletes the factors of its user that are not.
pub(crate) async fn set_verified(tx: &mut AuthTx, factor: &Factor) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.mfa_factors set status = 'verified', updated_at = now() where id = $1 and status <> 'verified'",
    )
    .bind(factor.id)
    .execute(&mut **tx)
    .await?;
    sqlx::query("delete from auth.mfa_factors where user_id = $1 and status <> 'verified' and factor_type = 'totp'")
        .bind(factor.user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Renames a factor.
pub(crate) async fn rename(tx: &mut AuthTx, id: Uuid, name: &str) -> Result<Factor, AuthError> {
    let query = concat!(
        "update auth.mfa_factors set friendly_name = $2, updated_at = now() where id = $1 returning ",
        columns!()
    );
    let renamed = sqlx::query_as(query).bind(id).bind(name).fetch_one(&mut **tx).await;
    renamed.map_err(|error| match error.as_database_error() {
        Some(database) if database.is_unique_violation() => name_conflict(name),
        _ => error.into(),
    })
}

/// Another factor of the user has this name.
pub(crate) fn name_conflict(name: &str) -> AuthError {
    let message = format!("A factor with the friendly name {name:?} for this user already exists");
    AuthError::new(422, "mfa_factor_name_conflict", message)
}

/// Deletes a factor. Sessions that it raised are at the first level again.
pub(crate) async fn remove(tx: &mut AuthTx, factor: &Factor) -> Result<(), AuthError> {
    sqlx::query(
        "delete from auth.mfa_amr_claims where authentication_method = 'totp'
         and session_id in (select id from auth.sessions where factor_id = $1)",
    )
    .bind(factor.id)
    .execute(&mut **tx)
    .await?;
    sqlx::query("update auth.sessions set aal = 'aal1', factor_id = null where factor_id = $1")
        .bind(factor.id)
        .execute(&mut **tx)
        .await?;
    sqlx::query("delete from auth.mfa_factors where id = $1").bind(factor.id).execute(&mut **tx).await?;
    Ok(())
}

/// Deletes all factors of a user.
pub(crate) async fn remove_all(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query("delete from auth.mfa_factors where user_id = $1").bind(user).execute(&mut **tx).await?;
    Ok(())
}

/// Deletes the factors of a user that were begun a while ago and never challenged.
pub(crate) async fn remove_abandoned(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query(
        "delete from auth.mfa_factors f where user_id = $1 and status <> 'verified' and created_at < now() - $2
         and not exists (select from auth.mfa_challenges c where c.factor_id = f.id)",
    )
    .bind(user)
    .bind(interval(CHALLENGE_LIFETIME))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Adds a challenge, and deletes those of the factor that ended.
pub(crate) async fn add_challenge(tx: &mut AuthTx, factor: Uuid, address: IpAddr) -> Result<Challenge, AuthError> {
    sqlx::query("delete from auth.mfa_challenges where factor_id = $1 and created_at < now() - $2")
        .bind(factor)
        .bind(interval(CHALLENGE_LIFETIME * 2))
        .execute(&mut **tx)
        .await?;
    // GoTrue's index on this column is unique over all factors; the clock of the statement makes a repeat unlikely.
    sqlx::query("update auth.mfa_factors set last_challenged_at = clock_timestamp() where id = $1")
        .bind(factor)
        .execute(&mut **tx)
        .await?;
    Ok(sqlx::query_as(
        "insert into auth.mfa_challenges (id, factor_id, created_at, ip_address)
         values ($1, $2, now(), $3::text::inet) returning id, created_at, verified_at, true as same_address",
    )
    .bind(Uuid::new_v4())
    .bind(factor)
    .bind(address.to_string())
    .fetch_one(&mut **tx)
    .await?)
}

/// A challenge of this factor, locked until the transaction ends.
pub(crate) async fn challenge(
    tx: &mut AuthTx,
    factor: Uuid,
    id: Uuid,
    address: IpAddr,
) -> Result<Option<Challenge>, AuthError> {
    Ok(sqlx::query_as(
        "select id, created_at, verified_at, ip_address = $3::text::inet as same_address
         from auth.mfa_challenges where id = $1 and factor_id = $2 for no key update",
    )
    .bind(id)
    .bind(factor)
    .bind(address.to_string())
    .fetch_optional(&mut **tx)
    .await?)
}

/// Marks a challenge as met, so that it is met once.
pub(crate) async fn meet_challenge(tx: &mut AuthTx, id: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.mfa_challenges set verified_at = now() where id = $1").bind(id).execute(&mut **tx).await?;
    Ok(())
}

/// Deletes a challenge.
pub(crate) async fn remove_challenge(tx: &mut AuthTx, id: Uuid) -> Result<(), AuthError> {
    sqlx::query("delete from auth.mfa_challenges where id = $1").bind(id).execute(&mut **tx).await?;
    Ok(())
}

/// The level of a session of this user, `aal1` or `aal2`, locked until the transaction ends; `None` where it ended.
pub(crate) async fn session_level(tx: &mut AuthTx, user: Uuid, session: Uuid) -> Result<Option<String>, AuthError> {
    Ok(sqlx::query_scalar(
        "select coalesce(aal::text, 'aal1') from auth.sessions where id = $1 and user_id = $2 for no key update",
    )
    .bind(session)
    .bind(user)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Notes which factor raised a session.
pub(crate) async fn set_session_factor(tx: &mut AuthTx, session: Uuid, factor: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.sessions set factor_id = $2 where id = $1")
        .bind(session)
        .bind(factor)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The sessions of a user that no second factor raised.
pub(crate) async fn low_sessions(tx: &mut AuthTx, user: Uuid) -> Result<Vec<Uuid>, AuthError> {
    Ok(sqlx::query_scalar("select id from auth.sessions where user_id = $1 and (aal is null or aal = 'aal1')")
        .bind(user)
        .fetch_all(&mut **tx)
        .await?)
}

fn interval(time: TimeDelta) -> sqlx::postgres::types::PgInterval {
    sqlx::postgres::types::PgInterval { months: 0, days: 0, microseconds: time.num_microseconds().unwrap_or_default() }
}
