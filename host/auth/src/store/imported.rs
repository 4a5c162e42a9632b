//! Rows of another project's tables, as an import adds them. The values of each row are a JSON object with a text for each column.

use behalf_host_db::AuthTx;
use serde_json::Value;
use uuid::Uuid;

/// What became of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    /// The ids of those that were added.
    pub(crate) added: Vec<Uuid>,
    /// The ids that are in the table now.
    pub(crate) present: Vec<Uuid>,
}

/// Adds users.
pub(crate) async fn add_users(tx: &mut AuthTx, rows: &Value) -> Result<Stored, sqlx::Error> {
    let added = sqlx::query_scalar(
        "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, invited_at,
            confirmation_token, recovery_token, email_change_token_new, email_change, last_sign_in_at, raw_app_meta_data,
            raw_user_meta_data, created_at, updated_at, phone, phone_confirmed_at, banned_until, is_sso_user, deleted_at,
            is_anonymous)
         select '00000000-0000-0000-0000-000000000000', id, coalesce(aud, 'authenticated'), coalesce(role, 'authenticated'),
            email, coalesce(encrypted_password, ''), email_confirmed_at, invited_at, '', '', '', '', last_sign_in_at,
            raw_app_meta_data::jsonb, raw_user_meta_data::jsonb, coalesce(created_at, now()),
            coalesce(updated_at, created_at, now()), phone, phone_confirmed_at, banned_until, is_sso_user, deleted_at,
            is_anonymous
         from jsonb_to_recordset($1) as r (id uuid, aud text, role text, email text, encrypted_password text,
            email_confirmed_at timestamptz, invited_at timestamptz, last_sign_in_at timestamptz, raw_app_meta_data text,
            raw_user_meta_data text, created_at timestamptz, updated_at timestamptz, phone text,
            phone_confirmed_at timestamptz, banned_until timestamptz, is_sso_user boolean, deleted_at timestamptz,
            is_anonymous boolean)
         on conflict do nothing returning id",
    );
    let added = added.bind(rows).fetch_all(&mut **tx).await?;
    let present = sqlx::query_scalar(
        "select id from auth.users where id in (select id from jsonb_to_recordset($1) as r (id uuid))",
    );
    Ok(Stored { added, present: present.bind(rows).fetch_all(&mut **tx).await? })
}

/// Adds identities.
pub(crate) async fn add_identities(tx: &mut AuthTx, rows: &Value) -> Result<Stored, sqlx::Error> {
    let added = sqlx::query_scalar(
        "insert into auth.identities
            (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
         select id, provider_id, user_id, identity_data::jsonb, provider, last_sign_in_at, coalesce(created_at, now()),
            coalesce(updated_at, created_at, now())
         from jsonb_to_recordset($1) as r (id uuid, provider_id text, user_id uuid, identity_data text, provider text,
            last_sign_in_at timestamptz, created_at timestamptz, updated_at timestamptz)
         on conflict do nothing returning id",
    );
    let added = added.bind(rows).fetch_all(&mut **tx).await?;
    let present = sqlx::query_scalar(
        "select id from auth.identities where id in (select id from jsonb_to_recordset($1) as r (id uuid))",
    );
    Ok(Stored { added, present: present.bind(rows).fetch_all(&mut **tx).await? })
}

/// Adds second factors that were verified.
pub(crate) async fn add_factors(tx: &mut AuthTx, rows: &Value) -> Result<Stored, sqlx::Error> {
    let added = sqlx::query_scalar(
        "insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret)
         select id, user_id, friendly_name, 'totp', 'verified', coalesce(created_at, now()),
            coalesce(updated_at, created_at, now()), secret
         from jsonb_to_recordset($1) as r (id uuid, user_id uuid, friendly_name text, secret text, created_at timestamptz,
            updated_at timestamptz)
         on conflict do nothing returning id",
    );
    let added = added.bind(rows).fetch_all(&mut **tx).await?;
    let present = sqlx::query_scalar(
        "select id from auth.mfa_factors where id in (select id from jsonb_to_recordset($1) as r (id uuid))",
    );
    Ok(Stored { added, present: present.bind(rows).fetch_all(&mut **tx).await? })
}
