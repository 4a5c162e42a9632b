//! Whose user a provider's user is.
//!
//! An identity counts first: it was linked before. Otherwise an address leads to an account only if the provider says that it is
//! verified, and the account is safe: its own address is confirmed, or everything is taken from it that whoever began it could
//! come back by. An address that nobody verified leads to no account, and makes one only where sign-up asks for no proof either.

use behalf_host_db::AuthTx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::profile::Profile;
use crate::error::AuthError;
use crate::session::Which;
use crate::state::Auth;
use crate::store::linked;
use crate::store::users::{self, NewUser};
use crate::user::User;

/// The user who signs in as this user of a provider. The caller commits `tx`.
pub(crate) async fn sign_in(
    auth: &Auth,
    tx: &mut AuthTx,
    provider: &str,
    profile: &Profile,
) -> Result<Uuid, AuthError> {
    check(profile)?;
    linked::lock(tx, provider, &profile.subject).await?;
    let user = match linked::find(tx, provider, &profile.subject).await? {
        Some((identity, user)) => known(auth, tx, provider, profile, identity, user).await?,
        None => unknown(auth, tx, provider, profile).await?,
    };
    Ok(user)
}

/// Links this user of a provider to a signed-in user. The caller commits `tx`.
pub(crate) async fn link(
    auth: &Auth,
    tx: &mut AuthTx,
    provider: &str,
    profile: &Profile,
    target: Uuid,
) -> Result<Uuid, AuthError> {
    check(profile)?;
    linked::lock(tx, provider, &profile.subject).await?;
    let user = not_banned(users::by_id(tx, target).await?)?;
    if let Some((_, owner)) = linked::find(tx, provider, &profile.subject).await? {
        let message =
            if owner == target { "Identity is already linked" } else { "Identity is already linked to another user" };
        return Err(AuthError::new(422, "identity_already_exists", message));
    }
    linked::link(tx, target, provider, &profile.subject, &profile.data).await?;
    if user.email.as_deref().unwrap_or_default().is_empty() {
        let email = profile.email.as_deref();
        if email.is_some() && !is_proven(auth, profile) {
            return Err(needs_verification());
        }
        linked::make_permanent(tx, target, email).await?;
    }
    linked::set_providers(tx, target).await?;
    Ok(target)
}

/// A provider's user who signed in before.
async fn known(
    auth: &Auth,
    tx: &mut AuthTx,
    provider: &str,
    profile: &Profile,
    identity: Uuid,
    user: Uuid,
) -> Result<Uuid, AuthError> {
    let user = not_banned(users::by_id(tx, user).await?)?;
    linked::refresh(tx, identity, &profile.data).await?;
    let own = user.email.as_deref().filter(|email| !email.is_empty());
    if own.is_none() || user.email_confirmed_at.is_some() {
        linked::add_metadata(tx, user.id, &profile.data).await?;
        linked::set_providers(tx, user.id).await?;
        return Ok(user.id);
    }
    // Nobody proved the account's address. This sign-in does, if it is the address that the provider verified.
    let same = profile.verified
        && profile.email.as_deref().is_some_and(|email| own.is_some_and(|own| own.eq_ignore_ascii_case(email)));
    if !same {
        return Err(needs_verification());
    }
    tracing::info!(provider, user = %user.id, "an account with an unproven address now belongs to who proved it");
    take_over(auth, tx, user.id, identity, profile).await?;
    Ok(user.id)
}

/// A provider's user who comes for the first time.
async fn unknown(auth: &Auth, tx: &mut AuthTx, provider: &str, profile: &Profile) -> Result<Uuid, AuthError> {
    let Some(email) = profile.email.as_deref() else { return Err(no_address()) };
    let existing = users::by_email(tx, email).await?;
    if !profile.verified {
        // The answer is the same whether somebody has the address.
        return match existing {
            None if auth.options.auto_confirm => add(auth, tx, provider, profile).await,
            _ => Err(needs_verification()),
        };
    }
    let Some(user) = existing else { return add(auth, tx, provider, profile).await };
    let user = not_banned(Some(user))?;
    let identity = linked::link(tx, user.id, provider, &profile.subject, &profile.data).await?;
    if user.email_confirmed_at.is_some() {
        linked::add_metadata(tx, user.id, &profile.data).await?;
        linked::set_providers(tx, user.id).await?;
    } else {
        take_over(auth, tx, user.id, identity, profile).await?;
    }
    Ok(user.id)
}

/// Adds a user.
async fn add(auth: &Auth, tx: &mut AuthTx, provider: &str, profile: &Profile) -> Result<Uuid, AuthError> {
    if !auth.options.sign_up {
        return Err(AuthError::new(422, "signup_disabled", "Signups not allowed for this instance"));
    }
    let new = NewUser {
        email: profile.email.clone(),
        confirmed: is_proven(auth, profile),
        app_metadata: json!({ "provider": provider, "providers": [provider] }),
        user_metadata: Value::Object(profile.data.clone()),
        ..NewUser::default()
    };
    let user = users::add(tx, &new).await?;
    linked::link(tx, user.id, provider, &profile.subject, &profile.data).await?;
    Ok(user.id)
}

/// Gives an account whose address nobody proved to who proved it now, without anything of whoever began it.
async fn take_over(
    auth: &Auth,
    tx: &mut AuthTx,
    user: Uuid,
    identity: Uuid,
    profile: &Profile,
) -> Result<(), AuthError> {
    linked::keep_only(tx, user, identity, &profile.data).await?;
    auth.end_sessions(tx, user, Which::All).await?;
    linked::confirm(tx, user).await?;
    linked::set_providers(tx, user).await
}

fn is_proven(auth: &Auth, profile: &Profile) -> bool {
    profile.verified || auth.options.auto_confirm
}

fn check(profile: &Profile) -> Result<(), AuthError> {
    let fine = !profile.subject.is_empty() && profile.subject.len() <= 255;
    if fine { Ok(()) } else { Err(AuthError::validation("the provider names no user")) }
}

fn not_banned(user: Option<User>) -> Result<User, AuthError> {
    let user = user.ok_or_else(|| AuthError::new(422, "user_not_found", "Linking target user not found"))?;
    if user.is_banned() { Err(AuthError::new(403, "user_banned", "User is banned")) } else { Ok(user) }
}

fn needs_verification() -> AuthError {
    AuthError::new(
        422,
        "provider_email_needs_verification",
        "Unverified email with the provider. Verify the email with the provider in order to sign in",
    )
}

fn no_address() -> AuthError {
    AuthError::new(422, "provider_email_needs_verification", "Error getting user email from external provider")
}
