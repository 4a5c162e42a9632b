//! Table `auth.users`.

use behalf_host_db::AuthTx;
use behalf_problem::LogText as _;
use serde_json::Value;
use uuid::Uuid;

use crate::error::AuthError;
use crate::user::{User, user_columns};

/// The one instance that GoTrue's tables know.
pub(crate) const INSTANCE: Uuid = Uuid::nil();

/// The role of users for whom nothing else is said.
const ROLE: &str = "authenticated";

/// A user to add.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewUser {
    /// The id; a new one where it is `None`.
    pub(crate) id: Option<Uuid>,
    /// The address in lower case; none for anonymous users.
    pub(crate) email: Option<String>,
    /// The hash of the password.
    pub(crate) password: Option<String>,
    /// Whether the address counts as confirmed.
    pub(crate) confirmed: bool,
    /// `app_metadata`, with `provider` and `providers`.
    pub(crate) app_metadata: Value,
    /// `user_metadata`.
    pub(crate) user_metadata: Value,
    /// Whether it is an anonymous user.
    pub(crate) anonymous: bool,
    /// The database role of its tokens.
    pub(crate) role: Option<String>,
}

/// Adds a user. `email_exists` where another user has the address.
pub(crate) async fn add(tx: &mut AuthTx, user: &NewUser) -> Result<User, AuthError> {
    let id = user.id.unwrap_or_else(Uuid::new_v4);
    // The texts that GoTrue reads without expecting null are empty.
    let added = sqlx::query(
        "insert into auth.users
            (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, confirmation_token, recovery_token,
             email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, is_anonymous)
         values ($1, $2, 'authenticated', $3, $4, $5, case when $6 then now() end, '', '', '', '', $7, $8, now(), now(), $9)
         on conflict (email) where is_sso_user = false do nothing",
    )
    .bind(INSTANCE)
    .bind(id)
    .bind(user.role.as_deref().unwrap_or(ROLE))
    .bind(user.email.as_deref().map(str::to_lowercase))
    .bind(user.password.as_deref().unwrap_or_default())
    .bind(user.confirmed)
    .bind(object(&user.app_metadata))
    .bind(object(&user.user_metadata))
    .bind(user.anonymous)
    .execute(&mut **tx)
    .await
    .map_err(|error| not_saved(&error))?;
    if added.rows_affected() == 0 {
        return Err(email_exists());
    }
    // The app's triggers may have changed the row after it was written.
    by_id(tx, id).await?.ok_or_else(|| AuthError::new(500, "unexpected_failure", "Database error saving new user"))
}

/// Metadata as it is read after it was stored. Numbers change: `1e16` comes back as `10000000000000000`.
pub(crate) async fn as_stored(tx: &mut AuthTx, data: &Value) -> Result<Value, AuthError> {
    sqlx::query_scalar("select $1::jsonb").bind(data).fetch_one(&mut **tx).await.map_err(|error| not_saved(&error))
}

/// Another user has the address.
pub(crate) fn email_exists() -> AuthError {
    AuthError::new(422, "email_exists", "A user with this email address has already been registered")
}

/// A trigger of the app refused the row, or a value does not fit.
fn not_saved(error: &sqlx::Error) -> AuthError {
    let Some(database) = error.as_database_error() else { return AuthError::internal(error) };
    if database.is_unique_violation() && database.table() == Some("users") {
        return AuthError::new(422, "user_already_exists", "User already registered");
    }
    tracing::warn!(error = error.log_text(), "a new user was not saved");
    AuthError::new(500, "unexpected_failure", "Database error saving new user")
}

fn object(data: &Value) -> Value {
    if data.is_object() { data.clone() } else { Value::Object(serde_json::Map::new()) }
}

/// The user of this id who was not deleted, locked until the transaction ends. Rows of the app that reference the user can be
/// written meanwhile.
pub(crate) async fn by_id(tx: &mut AuthTx, id: Uuid) -> Result<Option<User>, AuthError> {
    let user = sqlx::query_as(concat!(
        "select ",
        user_columns!(),
        " from auth.users where id = $1 and deleted_at is null for no key update"
    ));
    Ok(user.bind(id).fetch_optional(&mut **tx).await?)
}

/// The same without a lock.
pub(crate) async fn read(tx: &mut AuthTx, id: Uuid) -> Result<Option<User>, AuthError> {
    let user =
        sqlx::query_as(concat!("select ", user_columns!(), " from auth.users where id = $1 and deleted_at is null"));
    Ok(user.bind(id).fetch_optional(&mut **tx).await?)
}

/// Finds a user by address, for `concat!`.
macro_rules! by_email {
    () => {
        concat!(
            "select ",
            user_columns!(),
            " from auth.users where lower(email) = lower($1) and is_sso_user = false and deleted_at is null
             order by email = lower($1) desc, created_at limit 1"
        )
    };
}

/// The user with this address in any case, who was not deleted and is no user of single sign-on, locked until the transaction ends.
pub(crate) async fn by_email(tx: &mut AuthTx, email: &str) -> Result<Option<User>, AuthError> {
    let user = sqlx::query_as(concat!(by_email!(), " for no key update"));
    Ok(user.bind(email).fetch_optional(&mut **tx).await?)
}

/// The same without a lock: whoever only tries passwords must not hold up the user.
pub(crate) async fn read_by_email(tx: &mut AuthTx, email: &str) -> Result<Option<User>, AuthError> {
    Ok(sqlx::query_as(by_email!()).bind(email).fetch_optional(&mut **tx).await?)
}

/// Writes down that the user signed in just now.
pub(crate) async fn signed_in(tx: &mut AuthTx, id: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.users set last_sign_in_at = now(), updated_at = now() where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Replaces the stored hash of a password by another of the same password, unless somebody changed it meanwhile.
pub(crate) async fn upgrade_hash(tx: &mut AuthTx, id: Uuid, old: &str, new: &str) -> Result<(), AuthError> {
    sqlx::query("update auth.users set encrypted_password = $3 where id = $1 and encrypted_password = $2")
        .bind(id)
        .bind(old)
        .bind(new)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Takes the password from a user: nobody signs in with one until the user sets another.
pub(crate) async fn drop_password(tx: &mut AuthTx, id: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.users set encrypted_password = '', updated_at = now() where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// How the stored hashes of passwords begin, up to their salts: each algorithm with its cost.
pub(crate) async fn kinds_of_hashes(tx: &mut AuthTx) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        r"select distinct substring(encrypted_password from '^(?:\$2[abxy]\$[0-9]{2}\$|\$argon2i?d?\$v=[0-9]+\$[a-z0-9=,]+\$)') as kind
          from auth.users where encrypted_password like '$%'
            and encrypted_password ~ '^(?:\$2[abxy]\$[0-9]{2}\$|\$argon2i?d?\$v=[0-9]+\$[a-z0-9=,]+\$)'",
    )
    .fetch_all(&mut **tx)
    .await
}
