//! What follows when somebody proved by a code or a link to read the letters to an address.

use behalf_host_db::AuthTx;
use uuid::Uuid;

use crate::error::AuthError;
use crate::state::Auth;
use crate::store::one_time_tokens::{self, Kind};
use crate::store::sent_letters;
use crate::user::User;

/// What a proof did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// All that is needed: the user may sign in.
    Whole,
    /// The first half of a change of address: the other address has to agree.
    Half,
}

/// The error of a change to an address that another user has.
pub(crate) fn taken() -> AuthError {
    AuthError::new(422, "email_exists", "A user with this email address has already been registered")
}

/// Does what the token of this kind was made for. The caller found the user's row locked, and the token valid.
pub(crate) async fn accept(auth: &Auth, tx: &mut AuthTx, user: &User, kind: Kind) -> Result<Accepted, AuthError> {
    match kind {
        Kind::Confirmation => {
            shut_others_out(tx, user).await?;
            confirm(tx, user).await?;
            one_time_tokens::clear_sign_in(tx, user.id).await?;
        }
        Kind::Recovery => {
            if user.email_confirmed_at.is_none() {
                // Whoever set this password before the address was proved may be somebody else, waiting for the owner to come.
                drop_password(tx, user.id).await?;
                shut_others_out(tx, user).await?;
                confirm(tx, user).await?;
            }
            one_time_tokens::clear_sign_in(tx, user.id).await?;
        }
        Kind::Reauthentication => one_time_tokens::clear_reauthentication(tx, user.id).await?,
        Kind::EmailChangeNew | Kind::EmailChangeCurrent => return change(auth, tx, user, kind).await,
    }
    if let Some(address) = user.email.as_deref() {
        sent_letters::proved(tx, address).await?;
    }
    Ok(Accepted::Whole)
}

/// Whoever used an account before its address was proved may be somebody else: their sessions, their identities of other providers
/// and their second factors go. The flow of the letter stays, because the owner follows it.
async fn shut_others_out(tx: &mut AuthTx, user: &User) -> Result<(), AuthError> {
    if user.email_confirmed_at.is_some() {
        return Ok(());
    }
    for statement in [
        "delete from auth.sessions where user_id = $1",
        "delete from auth.identities where user_id = $1 and provider <> 'email'",
        "delete from auth.mfa_factors where user_id = $1",
    ] {
        sqlx::query(statement).bind(user.id).execute(&mut **tx).await?;
    }
    Ok(())
}

async fn change(auth: &Auth, tx: &mut AuthTx, user: &User, kind: Kind) -> Result<Accepted, AuthError> {
    let has_address = user.email.as_deref().is_some_and(|email| !email.is_empty());
    let needs_both = auth.options.confirm_both_addresses && has_address;
    let new = user.email_change.as_deref().filter(|new| !new.is_empty());
    let expired = || AuthError::new(403, "otp_expired", "Email link is invalid or has expired");
    let new = new.ok_or_else(expired)?;
    if kind == Kind::EmailChangeCurrent && !needs_both {
        return Err(expired());
    }
    let proved = if kind == Kind::EmailChangeNew { Some(new) } else { user.email.as_deref() };
    if let Some(proved) = proved {
        sent_letters::proved(tx, proved).await?;
    }
    if needs_both && user.email_change_confirm_status.unwrap_or(0) == 0 {
        one_time_tokens::clear_change(tx, user.id, kind).await?;
        return Ok(Accepted::Half);
    }
    set_address(tx, user.id, new).await?;
    Ok(Accepted::Whole)
}

/// Gives a user an address that was proved, and forgets all codes and links to the one before. Anonymous users are permanent
/// from then on.
pub(crate) async fn set_address(tx: &mut AuthTx, user: Uuid, new: &str) -> Result<(), AuthError> {
    if is_taken(tx, new, user).await? {
        return Err(taken());
    }
    let written = sqlx::query(
        "update auth.users set email = $2, is_anonymous = false, updated_at = now(), \
         email_confirmed_at = coalesce(email_confirmed_at, now()), raw_user_meta_data = \
         (case jsonb_typeof(raw_user_meta_data) when 'object' then raw_user_meta_data else '{}' end) \
         || jsonb_build_object('email', $2::text, 'email_verified', true) where id = $1",
    )
    .bind(user)
    .bind(new)
    .execute(&mut **tx)
    .await;
    if let Err(sqlx::Error::Database(error)) = &written
        && error.is_unique_violation()
    {
        return Err(taken());
    }
    written?;
    one_time_tokens::clear(tx, user).await?;
    add_identity(tx, user, new, true).await?;
    note_providers(tx, user).await
}

/// Lets the user sign in by this address: adds the identity, or gives it the address.
pub(crate) async fn add_identity(tx: &mut AuthTx, user: Uuid, address: &str, proved: bool) -> Result<(), AuthError> {
    sqlx::query(
        "insert into auth.identities (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at) \
         values (gen_random_uuid(), $1::uuid::text, $1, \
         jsonb_build_object('sub', $1::uuid::text, 'email', $2::text, 'email_verified', $3::boolean, 'phone_verified', false), \
         'email', now(), now(), now()) on conflict (provider_id, provider) do update set \
         identity_data = identities.identity_data || jsonb_build_object('email', $2::text, 'email_verified', $3::boolean), \
         updated_at = now() where identities.user_id = excluded.user_id",
    )
    .bind(user)
    .bind(address)
    .bind(proved)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether another user has this address, or an identity with it.
pub(crate) async fn is_taken(tx: &mut AuthTx, address: &str, user: Uuid) -> Result<bool, AuthError> {
    let taken: bool = sqlx::query_scalar(
        "select exists (select from auth.users where lower(email) = $1 and id <> $2 and not is_sso_user and deleted_at is null) \
         or exists (select from auth.identities i join auth.users u on u.id = i.user_id \
         where i.email = $1 and i.user_id <> $2 and not u.is_sso_user and u.deleted_at is null \
         and (i.provider = 'email' or i.identity_data ->> 'email_verified' = 'true'))",
    )
    .bind(address)
    .bind(user)
    .fetch_one(&mut **tx)
    .await?;
    Ok(taken)
}

async fn confirm(tx: &mut AuthTx, user: &User) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set email_confirmed_at = coalesce(email_confirmed_at, now()), updated_at = now(), raw_user_meta_data = \
         (case jsonb_typeof(raw_user_meta_data) when 'object' then raw_user_meta_data else '{}' end) \
         || jsonb_build_object('email_verified', true) where id = $1",
    )
    .bind(user.id)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "update auth.identities set identity_data = identity_data || jsonb_build_object('email_verified', true), \
         updated_at = now() where user_id = $1 and email = lower($2)",
    )
    .bind(user.id)
    .bind(user.email.as_deref().unwrap_or_default())
    .execute(&mut **tx)
    .await?;
    note_providers(tx, user.id).await
}

/// Writes into `app_metadata` by which providers the user can sign in.
async fn note_providers(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set raw_app_meta_data = \
         (case jsonb_typeof(raw_app_meta_data) when 'object' then raw_app_meta_data else '{}' end) \
         || jsonb_build_object('provider', p.names -> 0, 'providers', p.names) \
         from (select jsonb_agg(i.provider order by i.first, i.provider) as names from (select provider, min(created_at) as first \
         from auth.identities where user_id = $1 group by provider) i) p where id = $1 and p.names is not null",
    )
    .bind(user)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn drop_password(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.users set encrypted_password = '' where id = $1").bind(user).execute(&mut **tx).await?;
    Ok(())
}
