//! Table `auth.audit_log_entries`: what users did, as GoTrue writes it. Each entry is written in the transaction of the act.
//!
//! What administrators do is in the host's own log as well, which tells who of them it was.

use std::time::Duration;

use behalf_host_db::{AuditAction, AuthTx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::users::INSTANCE;
use crate::client::Client;
use crate::error::AuthError;
use crate::user::User;

/// What was done. Names and kinds are GoTrue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An account was added, or its address confirmed.
    SignedUp,
    /// Somebody signed up with an address that has an account.
    SignedUpAgain,
    /// A session began.
    SignedIn,
    /// Sessions were ended by their user.
    SignedOut,
    /// A session got its next tokens.
    Refreshed,
    /// A refresh token was used that must not be, and the session ended.
    Revoked,
    /// The user changed.
    Modified,
    /// The password changed.
    PasswordUpdated,
    /// The account was deleted.
    Deleted,
    /// Somebody was invited.
    Invited,
    /// A link to sign in was asked for.
    RecoveryRequested,
    /// The confirmation of an address was asked for.
    ConfirmationRequested,
    /// A code before a sensitive change was asked for.
    ReauthenticationRequested,
    /// A second factor was enrolled.
    FactorEnrolled,
    /// A code of a second factor was asked for.
    FactorChallenged,
    /// A code of a second factor was right or wrong.
    FactorTried,
    /// A second factor was taken away by its user.
    FactorUnenrolled,
    /// A second factor was changed by an administrator.
    FactorUpdated,
    /// A second factor was deleted by an administrator.
    FactorDeleted,
    /// An identity was taken away.
    IdentityUnlinked,
}

impl Entry {
    /// `action` and `log_type`.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::SignedUp => ("user_signedup", "team"),
            Self::SignedUpAgain => ("user_repeated_signup", "user"),
            Self::SignedIn => ("login", "account"),
            Self::SignedOut => ("logout", "account"),
            Self::Refreshed => ("token_refreshed", "token"),
            Self::Revoked => ("token_revoked", "token"),
            Self::Modified => ("user_modified", "user"),
            Self::PasswordUpdated => ("user_updated_password", "user"),
            Self::Deleted => ("user_deleted", "team"),
            Self::Invited => ("user_invited", "team"),
            Self::RecoveryRequested => ("user_recovery_requested", "user"),
            Self::ConfirmationRequested => ("user_confirmation_requested", "user"),
            Self::ReauthenticationRequested => ("user_reauthenticate_requested", "user"),
            Self::FactorEnrolled => ("factor_in_progress", "factor"),
            Self::FactorChallenged => ("challenge_created", "factor"),
            Self::FactorTried => ("verification_attempted", "factor"),
            Self::FactorUnenrolled => ("factor_unenrolled", "factor"),
            Self::FactorUpdated => ("factor_updated", "factor"),
            Self::FactorDeleted => ("factor_deleted", "factor"),
            Self::IdentityUnlinked => ("identity_unlinked", "user"),
        }
    }

    /// What an act of the host's own log is here.
    fn of_admin(action: AuditAction) -> Option<Self> {
        Some(match action.as_str() {
            "user.created" => Self::SignedUp,
            "user.changed" => Self::Modified,
            "user.deleted" => Self::Deleted,
            "user.invited" => Self::Invited,
            "link.generated" => Self::RecoveryRequested,
            "factor.changed" => Self::FactorUpdated,
            "factor.deleted" => Self::FactorDeleted,
            _ => return None,
        })
    }
}

/// Notes what a user did. `traits` are details, without secrets.
pub(crate) async fn add(
    tx: &mut AuthTx,
    user: &User,
    entry: Entry,
    client: Option<&Client>,
    traits: Option<Value>,
) -> Result<(), AuthError> {
    write(tx, &payload(user, entry, traits), client).await
}

/// Notes what the service role did to a user or a factor.
pub(crate) async fn add_of_admin(
    tx: &mut AuthTx,
    action: AuditAction,
    (kind, id): (&str, Uuid),
) -> Result<(), AuthError> {
    let Some(entry) = Entry::of_admin(action) else { return Ok(()) };
    let (action, log_type) = entry.names();
    let traits = json!({ format!("{kind}_id"): id });
    let payload = json!({
        "action": action, "log_type": log_type, "actor_id": Uuid::nil(), "actor_username": "service_role",
        "actor_via_sso": false, "traits": traits,
    });
    write(tx, &payload, None).await
}

fn payload(user: &User, entry: Entry, traits: Option<Value>) -> Value {
    let (action, log_type) = entry.names();
    let names = [user.phone.as_deref(), user.email.as_deref()];
    let mut payload = json!({
        "action": action, "log_type": log_type, "actor_id": user.id, "actor_via_sso": user.is_sso_user,
        "actor_username": names.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_default(),
    });
    if let Some(name) = user.raw_user_meta_data.as_ref().and_then(|data| data.get("full_name")) {
        payload["actor_name"] = name.clone();
    }
    if let Some(traits) = traits {
        payload["traits"] = traits;
    }
    payload
}

async fn write(tx: &mut AuthTx, payload: &Value, client: Option<&Client>) -> Result<(), AuthError> {
    sqlx::query(
        "insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
         values ($1, $2, $3::text::json, clock_timestamp(), $4)",
    )
    .bind(INSTANCE)
    .bind(Uuid::new_v4())
    .bind(payload.to_string())
    .bind(client.map(|client| client.ip.to_string()).unwrap_or_default())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes entries that are older than this.
pub(crate) async fn prune(tx: &mut AuthTx, age: Duration, most: i64) -> Result<u64, sqlx::Error> {
    let pruned = sqlx::query(
        "delete from auth.audit_log_entries where id in (
            select id from auth.audit_log_entries where created_at < now() - $1 * interval '1 second'
            limit $2 for update skip locked)",
    )
    .bind(age.as_secs_f64())
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(pruned.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_acts_of_administrators_have_entries_of_gotrue() {
        let entry = |name| Entry::of_admin(AuditAction::new(name)).map(|entry| entry.names().0);
        assert_eq!(entry("user.deleted"), Some("user_deleted"));
        assert_eq!(entry("user.invited"), Some("user_invited"));
        assert_eq!(entry("agent.created"), None);
    }
}
