//! Identities of the signed-in user: unlinking. Linking is a part of external sign-in.

use axum::extract::State;
use behalf_host_db::AuthTx;
use behalf_web::{Json, Path, Routes, routes};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::session::no_session;
use crate::signed_in::SignedIn;
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::managed_users::{Change, merged};
use crate::store::{factors, managed_users, one_time_tokens, users};
use crate::user::{Identity, User};

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(unlink))
}

/// Unlinks an identity of the caller, who keeps at least one.
#[utoipa::path(
    delete,
    path = "/auth/v1/user/identities/{identity_id}",
    operation_id = "unlink_identity",
    tag = "Auth",
    params(("identity_id" = String, Path, description = "The identity's id, `identity_id` of the user's identities")),
    responses(
        (status = 200, description = "Nothing more", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn unlink(
    State(auth): State<Auth>,
    caller: SignedIn,
    client: Client,
    Path(id): Path<String>,
) -> Result<Json<Value>, AuthError> {
    if !auth.options.manual_linking {
        return Err(AuthError::new(404, "manual_linking_disabled", "Manual linking is disabled"));
    }
    let id =
        Uuid::try_parse(&id).map_err(|_| AuthError::new(404, "validation_failed", "identity_id must be an UUID"))?;
    let mut tx = auth.begin().await?;
    // The lock of the user's row lets two requests not take the last two identities.
    let unknown = || AuthError::new(403, "user_not_found", "User from sub claim in JWT does not exist");
    let user = users::by_id(&mut tx, caller.user).await?.ok_or_else(unknown)?;
    check_session(&mut tx, &caller).await?;
    let (gone, kept): (Vec<_>, Vec<_>) =
        managed_users::identities(&mut tx, &[user.id]).await?.into_iter().partition(|identity| identity.id == id);
    if gone.len() + kept.len() <= 1 {
        let message = "User must have at least 1 identity after unlinking";
        return Err(AuthError::new(422, "single_identity_not_deletable", message));
    }
    let Some(gone) = gone.first() else {
        return Err(AuthError::new(422, "identity_not_found", "Identity doesn't exist"));
    };
    managed_users::remove_identity(&mut tx, user.id, gone.id).await?;
    if gone.provider == "phone" {
        managed_users::remove_phone(&mut tx, user.id).await?;
    } else {
        settle_address(&mut tx, &user, &kept, auth.options.auto_confirm).await?;
    }
    note_providers(&mut tx, &user, &kept).await?;
    let traits = json!({ "identity_id": gone.id, "provider": gone.provider });
    audit_entries::add(&mut tx, &user, Entry::IdentityUnlinked, Some(&client), Some(traits)).await?;
    tx.commit().await?;
    Ok(Json(json!({})))
}

/// The session that the token names has to be there: this changes how the user can sign in.
async fn check_session(tx: &mut AuthTx, caller: &SignedIn) -> Result<(), AuthError> {
    let session = caller.session.ok_or_else(no_session)?;
    factors::session_level(tx, caller.user, session).await?.map(drop).ok_or_else(no_session)
}

/// The user's address is one of an identity that is left, if its provider confirmed the address. One that nobody confirmed would
/// let this account wait for its owner.
async fn settle_address(tx: &mut AuthTx, user: &User, kept: &[Identity], auto_confirm: bool) -> Result<(), AuthError> {
    let current = user.email.as_deref().unwrap_or_default();
    if kept.iter().any(|identity| identity.email.as_deref().unwrap_or_default() == current) {
        return Ok(());
    }
    let named = |identity: &&Identity| identity.email.as_deref().is_some_and(|email| !email.is_empty());
    let next = kept.iter().filter(named).find(|identity| is_confirmed(identity) || auto_confirm);
    let email = next.and_then(|identity| identity.email.as_deref());
    let confirmed = next.is_some();
    managed_users::set_email(tx, user.id, email, confirmed).await?;
    if !confirmed {
        let said = json!({ "email_verified": false });
        let change = merged(user.raw_user_meta_data.as_ref(), said.as_object().cloned().unwrap_or_default());
        managed_users::change(tx, user.id, &Change { user_metadata: Some(change), ..Change::default() }).await?;
    }
    // What was sent to the address before opens nothing any more.
    one_time_tokens::clear(tx, user.id).await
}

fn is_confirmed(identity: &Identity) -> bool {
    match &identity.identity_data["email_verified"] {
        Value::Bool(confirmed) => *confirmed,
        Value::String(confirmed) => confirmed == "true",
        _ => false,
    }
}

/// `provider` and `providers` of `app_metadata` name what is left.
async fn note_providers(tx: &mut AuthTx, user: &User, kept: &[Identity]) -> Result<(), AuthError> {
    let mut providers: Vec<&str> = Vec::new();
    for identity in kept {
        if !providers.contains(&identity.provider.as_str()) {
            providers.push(&identity.provider);
        }
    }
    let said = json!({ "provider": providers.first(), "providers": providers });
    let change = merged(user.raw_app_meta_data.as_ref(), said.as_object().cloned().unwrap_or_default());
    managed_users::change(tx, user.id, &Change { app_metadata: Some(change), ..Change::default() }).await
}
