//! Tables `auth.identities`, `auth.users` and `auth.behalf_waiting_links`, as sign-in at a provider reads and changes them.

use behalf_host_db::AuthTx;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::AuthError;
use crate::external::Profile;
use crate::store::identities::{self, NewIdentity};

/// Lets one sign-in of a provider's user at a time decide whose user that is.
pub(crate) async fn lock(tx: &mut AuthTx, provider: &str, subject: &str) -> Result<(), AuthError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 16))")
        .bind(provider)
        .bind(subject)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The identity of a provider's user, and whose it is.
pub(crate) async fn find(tx: &mut AuthTx, provider: &str, subject: &str) -> Result<Option<(Uuid, Uuid)>, AuthError> {
    let found = sqlx::query_as("select id, user_id from auth.identities where provider = $1 and provider_id = $2");
    Ok(found.bind(provider).bind(subject).fetch_optional(&mut **tx).await?)
}

/// Links a provider's user, who is linked to nobody yet, and returns the identity's id.
pub(crate) async fn link(
    tx: &mut AuthTx,
    user: Uuid,
    provider: &str,
    subject: &str,
    data: &Map<String, Value>,
) -> Result<Uuid, AuthError> {
    let new = NewIdentity {
        user,
        provider: provider.to_owned(),
        provider_id: subject.to_owned(),
        data: Value::Object(data.clone()),
    };
    Ok(identities::add(tx, &new).await?.id)
}

/// Keeps what the provider says of its user now.
pub(crate) async fn refresh(tx: &mut AuthTx, identity: Uuid, data: &Map<String, Value>) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.identities set identity_data = $2, last_sign_in_at = now(), updated_at = now() where id = $1",
    )
    .bind(identity)
    .bind(sqlx::types::Json(data))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Adds what the provider says to the user's metadata.
pub(crate) async fn add_metadata(tx: &mut AuthTx, user: Uuid, data: &Map<String, Value>) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set raw_user_meta_data = coalesce(nullif(raw_user_meta_data, 'null'::jsonb), '{}'::jsonb) || $2, \
         updated_at = now() where id = $1",
    )
    .bind(user)
    .bind(sqlx::types::Json(data))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes into `app_metadata` by which providers the user can sign in.
pub(crate) async fn set_providers(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users u set updated_at = now(), raw_app_meta_data = \
         coalesce(nullif(u.raw_app_meta_data, 'null'::jsonb), '{}'::jsonb) \
         || jsonb_build_object('provider', p.names -> 0, 'providers', p.names) \
         from (select jsonb_agg(provider order by first, provider) as names \
         from (select provider, min(created_at) as first from auth.identities where user_id = $1 group by provider) by_name) p \
         where u.id = $1 and p.names is not null",
    )
    .bind(user)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes from an account whose address nobody proved everything by which whoever began it could come back: the password, other
/// identities, factors, letters that are under way, and what was written about the user.
pub(crate) async fn keep_only(
    tx: &mut AuthTx,
    user: Uuid,
    identity: Uuid,
    data: &Map<String, Value>,
) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set encrypted_password = null, raw_user_meta_data = $2, phone = null, phone_confirmed_at = null, \
         phone_change = '', phone_change_token = '', email_change = '', email_change_token_new = '', \
         email_change_token_current = '', email_change_confirm_status = 0, confirmation_token = '', recovery_token = '', \
         reauthentication_token = '', updated_at = now() where id = $1",
    )
    .bind(user)
    .bind(sqlx::types::Json(data))
    .execute(&mut **tx)
    .await?;
    sqlx::query("delete from auth.identities where user_id = $1 and id <> $2")
        .bind(user)
        .bind(identity)
        .execute(&mut **tx)
        .await?;
    sqlx::query("delete from auth.one_time_tokens where user_id = $1").bind(user).execute(&mut **tx).await?;
    sqlx::query("delete from auth.mfa_factors where user_id = $1").bind(user).execute(&mut **tx).await?;
    sqlx::query("delete from auth.flow_state where user_id = $1 or linking_target_id = $1")
        .bind(user)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Counts the address as confirmed.
pub(crate) async fn confirm(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set email_confirmed_at = coalesce(email_confirmed_at, now()), updated_at = now() \
         where id = $1 and email is not null",
    )
    .bind(user)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes a permanent user of one without an address, who now has this one or only the identity.
pub(crate) async fn make_permanent(tx: &mut AuthTx, user: Uuid, email: Option<&str>) -> Result<(), AuthError> {
    let done = sqlx::query(
        "update auth.users set email = $2, email_confirmed_at = case when $2::text is not null then now() end, \
         is_anonymous = false, updated_at = now() where id = $1",
    )
    .bind(user)
    .bind(email)
    .execute(&mut **tx)
    .await;
    match done {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(email_exists()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Keeps a provider's user until the app that asked for the link ends the flow.
pub(crate) async fn wait(tx: &mut AuthTx, flow: Uuid, profile: &Profile) -> Result<(), AuthError> {
    sqlx::query("insert into auth.behalf_waiting_links (flow_id, profile) values ($1, $2)")
        .bind(flow)
        .bind(sqlx::types::Json(profile))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The provider's user who waits for the end of a flow.
pub(crate) async fn waiting(tx: &mut AuthTx, flow: Uuid) -> Result<Option<Profile>, AuthError> {
    let found: Option<(sqlx::types::Json<Profile>,)> =
        sqlx::query_as("select profile from auth.behalf_waiting_links where flow_id = $1")
            .bind(flow)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(found.map(|(profile,)| profile.0))
}

/// Another user has the address.
pub(crate) fn email_exists() -> AuthError {
    AuthError::new(422, "email_exists", "A user with this email address has already been registered")
}
