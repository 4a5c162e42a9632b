//! Tables `auth.users` and `auth.identities`, as the service role manages them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_host_db::AuthTx;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::AuthError;
use crate::store::one_time_tokens;
use crate::user::{Identity, User, identity_columns, user_columns};

/// Another user has this address.
const EMAIL_TAKEN: &str = "A user with this email address has already been registered";
/// Another user has this number.
const PHONE_TAKEN: &str = "Phone number already registered by another user";

/// Which users to list.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// A part of the address, or of `full_name` in `user_metadata`.
    pub(crate) filter: Option<String>,
    /// Oldest first instead of newest first.
    pub(crate) oldest_first: bool,
    /// Rows of the page.
    pub(crate) limit: i64,
    /// Rows before it.
    pub(crate) offset: i64,
}

/// What changes of a user. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) role: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    /// The hash.
    pub(crate) password: Option<String>,
    pub(crate) confirm_email: bool,
    pub(crate) confirm_phone: bool,
    /// The whole of `app_metadata`, with what was merged.
    pub(crate) app_metadata: Option<Value>,
    /// The whole of `user_metadata`, with what was merged.
    pub(crate) user_metadata: Option<Value>,
    pub(crate) ban: Option<Ban>,
}

/// A ban, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ban {
    /// Until then.
    Until(DateTime<Utc>),
    /// There is none.
    Lifted,
}

impl Ban {
    fn until(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Until(end) => Some(end),
            Self::Lifted => None,
        }
    }

    /// Whether the user is banned now.
    pub(crate) fn holds(self) -> bool {
        self.until().is_some_and(|end| end > Utc::now())
    }
}

/// A user, deleted ones included, locked until the transaction ends.
pub(crate) async fn find(tx: &mut AuthTx, id: Uuid) -> Result<Option<User>, AuthError> {
    let query = concat!("select ", user_columns!(), " from auth.users where id = $1 for no key update");
    Ok(sqlx::query_as(query).bind(id).fetch_optional(&mut **tx).await?)
}

/// A page of users, and how many there are.
pub(crate) async fn page(tx: &mut AuthTx, listed: &Listed) -> Result<(Vec<User>, i64), AuthError> {
    macro_rules! matching {
        () => {
            " from auth.users where $1::text is null or email like $1 or raw_user_meta_data ->> 'full_name' ilike $1 "
        };
    }
    let filter = listed.filter.as_ref().map(|text| format!("%{text}%"));
    let total = sqlx::query_scalar(concat!("select count(*)", matching!())).bind(&filter).fetch_one(&mut **tx).await?;
    let query = if listed.oldest_first {
        concat!("select ", user_columns!(), matching!(), "order by created_at, id limit $2 offset $3")
    } else {
        concat!("select ", user_columns!(), matching!(), "order by created_at desc, id desc limit $2 offset $3")
    };
    let users = sqlx::query_as(query).bind(&filter).bind(listed.limit).bind(listed.offset).fetch_all(&mut **tx).await?;
    Ok((users, total))
}

/// The identities of several users.
pub(crate) async fn identities(tx: &mut AuthTx, users: &[Uuid]) -> Result<Vec<Identity>, AuthError> {
    Ok(sqlx::query_as(concat!(
        "select ",
        identity_columns!(),
        " from auth.identities where user_id = any($1) order by created_at, id"
    ))
    .bind(users)
    .fetch_all(&mut **tx)
    .await?)
}

/// Changes a user.
pub(crate) async fn change(tx: &mut AuthTx, id: Uuid, change: &Change) -> Result<(), AuthError> {
    let changed = sqlx::query(
        "update auth.users set
            role = coalesce($2, role),
            email = coalesce($3, email),
            phone = coalesce($4, phone),
            encrypted_password = coalesce($5, encrypted_password),
            email_confirmed_at = case when $6 then now() else email_confirmed_at end,
            phone_confirmed_at = case when $7 then now() else phone_confirmed_at end,
            raw_app_meta_data = coalesce($8, raw_app_meta_data),
            raw_user_meta_data = coalesce($9, raw_user_meta_data),
            banned_until = case when $10 then $11 else banned_until end,
            is_anonymous = is_anonymous and not (($3 is not null and $6) or ($4 is not null and $7)),
            updated_at = now()
         where id = $1",
    )
    .bind(id)
    .bind(&change.role)
    .bind(&change.email)
    .bind(&change.phone)
    .bind(&change.password)
    .bind(change.confirm_email)
    .bind(change.confirm_phone)
    .bind(&change.app_metadata)
    .bind(&change.user_metadata)
    .bind(change.ban.is_some())
    .bind(change.ban.and_then(Ban::until))
    .execute(&mut **tx)
    .await;
    changed.map(drop).map_err(|error| taken(error, change.phone.is_some()))
}

/// Which unique value another user has.
fn taken(error: sqlx::Error, has_phone: bool) -> AuthError {
    match error.as_database_error() {
        Some(database) if database.is_unique_violation() => {
            let is_phone = has_phone && database.constraint().is_some_and(|name| name.contains("phone"));
            if is_phone { phone_taken() } else { email_taken() }
        }
        _ => error.into(),
    }
}

/// Another user has this address.
pub(crate) fn email_taken() -> AuthError {
    AuthError::new(422, "email_exists", EMAIL_TAKEN)
}

fn phone_taken() -> AuthError {
    AuthError::new(422, "phone_exists", PHONE_TAKEN)
}

/// Gives a user the identity of `email` or `phone`, or changes what it says.
pub(crate) async fn put_identity(
    tx: &mut AuthTx,
    user: Uuid,
    provider: &'static str,
    address: &str,
    verified: bool,
) -> Result<(), AuthError> {
    let data = json!({ "sub": user, provider: address, format!("{provider}_verified"): verified });
    sqlx::query(
        "insert into auth.identities (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
         values ($1, $2, $3, $4, $5, now(), now(), now())
         on conflict (provider_id, provider) do update
            set identity_data = identities.identity_data || excluded.identity_data, updated_at = now()",
    )
    .bind(Uuid::new_v4())
    .bind(user.to_string())
    .bind(user)
    .bind(data)
    .bind(provider)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes an identity of a user.
pub(crate) async fn remove_identity(tx: &mut AuthTx, user: Uuid, id: Uuid) -> Result<(), AuthError> {
    sqlx::query("delete from auth.identities where id = $1 and user_id = $2")
        .bind(id)
        .bind(user)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Sets or takes away the address of a user, who keeps no confirmation of it unless it is `confirmed`.
pub(crate) async fn set_email(
    tx: &mut AuthTx,
    id: Uuid,
    email: Option<&str>,
    confirmed: bool,
) -> Result<(), AuthError> {
    let changed = sqlx::query(
        "update auth.users set email = $2, email_confirmed_at = case when $3 then email_confirmed_at end, updated_at = now()
         where id = $1",
    )
    .bind(id)
    .bind(email)
    .bind(confirmed)
    .execute(&mut **tx)
    .await;
    changed.map(drop).map_err(|error| match error.as_database_error() {
        Some(database) if database.is_unique_violation() => AuthError::new(
            422,
            "email_conflict_identity_not_deletable",
            "Unable to unlink identity due to email conflict",
        ),
        _ => error.into(),
    })
}

/// Takes away the number of a user.
pub(crate) async fn remove_phone(tx: &mut AuthTx, id: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.users set phone = null, phone_confirmed_at = null, updated_at = now() where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Deletes a user with everything that depends on them.
pub(crate) async fn remove(tx: &mut AuthTx, id: Uuid) -> Result<(), AuthError> {
    let removed = sqlx::query("delete from auth.users where id = $1").bind(id).execute(&mut **tx).await;
    removed.map(drop).map_err(|error| match error.as_database_error() {
        Some(database) if database.is_foreign_key_violation() => AuthError::new(
            409,
            "conflict",
            "rows of the app refer to this user; delete them first, or delete the user with should_soft_delete",
        ),
        _ => error.into(),
    })
}

/// Keeps the row of a user for those that refer to it, and nothing that tells who it was.
pub(crate) async fn soft_remove(tx: &mut AuthTx, user: &User) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set email = $2, phone = $3, encrypted_password = null, raw_app_meta_data = '{}',
            raw_user_meta_data = '{}', deleted_at = now(), updated_at = now() where id = $1",
    )
    .bind(user.id)
    .bind(hidden(user.id, user.email.as_deref()))
    .bind(hidden(user.id, user.phone.as_deref()).map(|text| text.chars().take(15).collect::<String>()))
    .execute(&mut **tx)
    .await?;
    one_time_tokens::clear(tx, user.id).await?;
    for identity in identities(tx, &[user.id]).await? {
        let name = format!("{}:{}", identity.provider, identity.provider_id);
        sqlx::query(
            "update auth.identities set identity_data = '{}', provider_id = $2, updated_at = now() where id = $1",
        )
        .bind(identity.id)
        .bind(hidden(user.id, Some(&name)))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// What stands for an address after its user was deleted, as GoTrue writes it: it is unique and tells nothing.
fn hidden(user: Uuid, text: Option<&str>) -> Option<String> {
    let text = text.filter(|text| !text.is_empty())?;
    Some(URL_SAFE_NO_PAD.encode(Sha256::new().chain_update(user.to_string()).chain_update(text).finalize()))
}

/// Metadata after a change: `null` takes a field away.
pub(crate) fn merged(before: Option<&Value>, change: Map<String, Value>) -> Value {
    let mut fields = before.and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in change {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_merged_and_null_takes_away() {
        let change = |value: Value| value.as_object().cloned().unwrap_or_default();
        let before = json!({ "plan": "free", "team": 1 });
        assert_eq!(
            merged(Some(&before), change(json!({ "plan": "pro", "team": null, "seats": 3 }))),
            json!({ "plan": "pro", "seats": 3 })
        );
        assert_eq!(merged(None, change(json!({ "a": null }))), json!({}));
    }

    #[test]
    fn a_deleted_address_tells_nothing_and_an_empty_one_stays_absent() {
        let one = hidden(Uuid::from_u128(1), Some("a@b.example"));
        assert_ne!(one, hidden(Uuid::from_u128(2), Some("a@b.example")));
        assert!(one.is_some_and(|text| !text.contains("b.example")));
        assert_eq!(hidden(Uuid::nil(), Some("")), None);
    }
}
