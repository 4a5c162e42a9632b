//! Table `auth.identities`: by which providers a user can sign in.

use behalf_host_db::AuthTx;
use serde_json::Value;
use uuid::Uuid;

use crate::error::AuthError;
use crate::user::{Identity, identity_columns};

/// An identity to add.
#[derive(Clone, Debug)]
pub(crate) struct NewIdentity {
    /// The user.
    pub(crate) user: Uuid,
    /// The provider; `email` for addresses.
    pub(crate) provider: String,
    /// The user's id at the provider; for addresses the user's own id.
    pub(crate) provider_id: String,
    /// What the provider says of the user, with `sub` and `email`.
    pub(crate) data: Value,
}

/// Adds an identity. `identity_already_exists` where the provider's user is linked to somebody.
pub(crate) async fn add(tx: &mut AuthTx, new: &NewIdentity) -> Result<Identity, AuthError> {
    let added = sqlx::query_as(concat!(
        "insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
         values ($1, $2, $3, $4, now(), now(), now())
         on conflict (provider_id, provider) do nothing returning ",
        identity_columns!()
    ));
    let added = added.bind(&new.provider_id).bind(new.user).bind(&new.data).bind(&new.provider);
    added
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| AuthError::new(422, "identity_already_exists", "Identity is already linked to another user"))
}

/// The identities of a user, oldest first.
pub(crate) async fn of_user(tx: &mut AuthTx, user: Uuid) -> Result<Vec<Identity>, AuthError> {
    let rows = sqlx::query_as(concat!(
        "select ",
        identity_columns!(),
        " from auth.identities where user_id = $1 order by created_at, id"
    ));
    Ok(rows.bind(user).fetch_all(&mut **tx).await?)
}
