//! Users, for the service role.

mod factors;
mod links;
mod list;
mod request;
mod users;

use behalf_host_db::{AuditAction, AuditEvent, AuthTx};
use behalf_web::{Routes, routes};
use serde_json::Value;
use uuid::Uuid;

use crate::error::AuthError;
use crate::signed_in::Admin;
use crate::state::Auth;
use crate::store::{audit_entries, managed_users};
use crate::user::User;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new()
        .routes(routes!(list::list, users::create))
        .routes(routes!(users::show, users::update, users::delete))
        .routes(routes!(factors::list))
        .routes(routes!(factors::update, factors::delete))
        .routes(routes!(links::generate))
        .routes(routes!(links::invite))
}

/// Commits what the service role did to a user, together with its row of the audit log. `details` holds no secret, no address and
/// no metadata.
async fn commit(
    mut tx: AuthTx,
    admin: &Admin,
    request_id: &str,
    action: AuditAction,
    object: (&'static str, Uuid),
    details: Value,
) -> Result<(), AuthError> {
    audit_entries::add_of_admin(&mut tx, action, object).await?;
    let object = format!("{}:{}", object.0, object.1);
    let mut event = AuditEvent::new(action, &admin.0, Some(request_id));
    event.object = Some(&object);
    event.details = details;
    Ok(tx.commit_with(&event, Some(&admin.0)).await?)
}

/// The user of a path, locked until the transaction ends.
async fn user_of(tx: &mut AuthTx, id: &str) -> Result<User, AuthError> {
    let id = Uuid::try_parse(id).map_err(|_| AuthError::new(404, "validation_failed", "user_id must be an UUID"))?;
    let missing = || AuthError::new(404, "user_not_found", "User not found");
    managed_users::find(tx, id).await?.ok_or_else(missing)
}

/// The user as clients read it, deleted or not.
async fn json_of(tx: &mut AuthTx, id: Uuid) -> Result<Value, AuthError> {
    let missing = || AuthError::new(404, "user_not_found", "User not found");
    let user = managed_users::find(tx, id).await?.ok_or_else(missing)?;
    let identities = managed_users::identities(tx, &[id]).await?;
    let factors = crate::store::factors::of_user(tx, id).await?;
    Ok(user.to_json(&identities, &factors))
}
