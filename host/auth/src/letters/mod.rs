//! Letters of sign-in: their codes and links, and when they are sent.
//!
//! Each function stores the hashes of a new code and link and returns the letter. [`Posted`] commits and then sends it: nobody gets
//! a letter whose code was not stored.
//!
//! A letter is counted ([`count`]) before a user's row is locked. The count locks the table of letters until the commit, so two
//! requests that took these locks in another order would wait for each other. It also makes the answer the same with and without
//! an account.

mod link;
mod posted;

use behalf_host_db::AuthTx;
use behalf_mail::{Letter, LetterKind};
use serde_json::Value;
use uuid::Uuid;

use crate::client::Client;
use crate::error::AuthError;
use crate::external::pkce::Challenge;
use crate::session::Method;
use crate::state::Auth;
use crate::store::one_time_tokens::{self, Fresh, Kind};
use crate::store::sent_letters::{self, Asked, Pause};
use crate::user::User;

use link::action_link;
pub(crate) use link::{Link, LinkKind};
pub(crate) use posted::Posted;

/// Who asks for a letter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'a> {
    /// Anybody, to an address that may be another's: the next letter to it has to wait.
    Anybody(&'a Client),
    /// A signed-in user, to the own address.
    Owner(&'a Client),
    /// The service role.
    Admin,
}

/// Fails where this project sends no letters.
pub(crate) fn ready(auth: &Auth) -> Result<(), AuthError> {
    if auth.outbox.sends() {
        Ok(())
    } else {
        Err(AuthError::new(422, "email_provider_disabled", "This project sends no letters"))
    }
}

/// Counts a letter to an address, whether or not one is written, or refuses it. No row of a user may be locked yet.
pub(crate) async fn count(auth: &Auth, tx: &mut AuthTx, by: By<'_>, address: &str) -> Result<(), AuthError> {
    let (client, pause) = match by {
        By::Anybody(client) => (Some(client.ip), Pause::Kept),
        By::Owner(client) => (Some(client.ip), Pause::None),
        By::Admin => (None, Pause::None),
    };
    sent_letters::take(tx, &auth.options, Asked { address, client, pause }).await
}

/// Counts the letters of a change of address. `user` is as it was read, without a lock.
pub(crate) async fn count_email_change(
    auth: &Auth,
    tx: &mut AuthTx,
    client: &Client,
    user: &User,
    new: &str,
) -> Result<(), AuthError> {
    count(auth, tx, By::Anybody(client), new).await?;
    match present(user).filter(|_| auth.options.confirm_both_addresses) {
        Some(old) => count(auth, tx, By::Owner(client), old).await,
        None => Ok(()),
    }
}

/// A link of this kind to the user's address, where the letter was counted.
pub(crate) async fn write(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    kind: LinkKind,
    redirect_to: &str,
    challenge: Option<&Challenge>,
) -> Result<Posted, AuthError> {
    ready(auth)?;
    let flow = begin(tx, user.id, kind.method(), challenge).await?;
    if kind == LinkKind::Invite {
        note_invitation(tx, user.id).await?;
    }
    let to = address(user)?;
    let fresh = one_time_tokens::issue(tx, user.id, kind.token(), to, auth.options.code_digits, flow).await?;
    Ok(Posted::new(vec![letter(auth, user, to, kind, &fresh, redirect_to)]))
}

/// The confirmations of a new address, from it and where the project wants it from the present one as well, where the letters
/// were counted. The new address gets none if `is_taken`: it belongs to another user, and the one who asks must not learn it.
pub(crate) async fn write_email_change(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    new: &str,
    is_taken: bool,
    redirect_to: &str,
    challenge: Option<&Challenge>,
) -> Result<Posted, AuthError> {
    ready(auth)?;
    let flow = begin(tx, user.id, Method::EmailChange, challenge).await?;
    begin_change(tx, user.id, new).await?;
    let changing = User { email_change: Some(new.to_owned()), ..user.clone() };
    let digits = auth.options.code_digits;
    let mut letters = Vec::new();
    let fresh = one_time_tokens::issue(tx, user.id, Kind::EmailChangeNew, new, digits, flow).await?;
    if !is_taken {
        letters.push(letter(auth, &changing, new, LinkKind::EmailChangeNew, &fresh, redirect_to));
    }
    if let Some(old) = present(user).filter(|_| auth.options.confirm_both_addresses) {
        let fresh = one_time_tokens::issue(tx, user.id, Kind::EmailChangeCurrent, old, digits, flow).await?;
        letters.push(letter(auth, &changing, old, LinkKind::EmailChangeCurrent, &fresh, redirect_to));
    }
    Ok(Posted::new(letters))
}

/// A code that shows that a signed-in user is there, where the letter was counted.
pub(crate) async fn reauthentication(auth: &Auth, tx: &mut AuthTx, user: &User) -> Result<Posted, AuthError> {
    ready(auth)?;
    sent_letters::after_pause(&auth.options, user.reauthentication_sent_at)?;
    let to = address(user)?;
    let kind = Kind::Reauthentication;
    let fresh = one_time_tokens::issue(tx, user.id, kind, to, auth.options.code_digits, None).await?;
    Ok(Posted::new(vec![Letter {
        to: to.to_owned(),
        kind: LetterKind::Reauthentication,
        confirmation_url: None,
        token: fresh.code,
        token_hash: String::new(),
        site_url: auth.options.site_url.clone(),
        redirect_to: auth.options.site_url.clone(),
        email: to.to_owned(),
        new_email: None,
        data: data(user),
    }]))
}

/// A link and its code for an administrator. Nothing is sent, so no limit of letters holds. `new` is the new address of a change.
pub(crate) async fn link(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    kind: LinkKind,
    new: Option<&str>,
    redirect_to: &str,
) -> Result<Link, AuthError> {
    let to = match (kind, new) {
        (LinkKind::EmailChangeNew | LinkKind::EmailChangeCurrent, Some(new)) => {
            if user.email_change.as_deref() != Some(new) || user.email_change_confirm_status.unwrap_or(0) != 0 {
                begin_change(tx, user.id, new).await?;
            }
            if kind == LinkKind::EmailChangeNew { new } else { address(user)? }
        }
        (LinkKind::EmailChangeNew | LinkKind::EmailChangeCurrent, None) => {
            return Err(AuthError::validation("An email address is required"));
        }
        _ => address(user)?,
    };
    if kind == LinkKind::Invite {
        note_invitation(tx, user.id).await?;
    }
    let fresh = one_time_tokens::issue(tx, user.id, kind.token(), to, auth.options.code_digits, None).await?;
    sent_letters::note_unsent(tx, to).await?;
    Ok(Link {
        action_link: action_link(auth, &fresh.link, kind, redirect_to),
        email_otp: fresh.code,
        hashed_token: fresh.link,
        verification_type: kind.as_str(),
        redirect_to: redirect_to.to_owned(),
    })
}

async fn begin(
    tx: &mut AuthTx,
    user: Uuid,
    method: Method,
    challenge: Option<&Challenge>,
) -> Result<Option<Uuid>, AuthError> {
    match challenge {
        Some(challenge) => challenge.begin(tx, user, method).await.map(Some),
        None => Ok(None),
    }
}

/// Forgets an earlier change of address and notes the new one.
async fn begin_change(tx: &mut AuthTx, user: Uuid, new: &str) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set email_change = $2, email_change_token_new = '', email_change_token_current = '', \
         email_change_confirm_status = 0, email_change_sent_at = now(), updated_at = now() where id = $1",
    )
    .bind(user)
    .bind(new)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "delete from auth.one_time_tokens where user_id = $1 \
         and token_type in ('email_change_token_new', 'email_change_token_current')",
    )
    .bind(user)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes when the user was invited. A password that somebody set before the address was proved goes: the invitation would
/// otherwise confirm an account that a stranger can enter.
async fn note_invitation(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set invited_at = now(), \
         encrypted_password = case when email_confirmed_at is null then '' else encrypted_password end where id = $1",
    )
    .bind(user)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The user's address, if there is one.
fn present(user: &User) -> Option<&str> {
    user.email.as_deref().filter(|email| !email.is_empty())
}

fn address(user: &User) -> Result<&str, AuthError> {
    present(user).ok_or_else(|| AuthError::validation("An email address is required"))
}

fn data(user: &User) -> Value {
    user.raw_user_meta_data.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}

fn letter(auth: &Auth, user: &User, to: &str, kind: LinkKind, fresh: &Fresh, redirect_to: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        kind: kind.letter(),
        confirmation_url: Some(action_link(auth, &fresh.link, kind, redirect_to)),
        token: fresh.code.clone(),
        token_hash: fresh.link.clone(),
        site_url: auth.options.site_url.clone(),
        redirect_to: redirect_to.to_owned(),
        email: present(user).unwrap_or_default().to_owned(),
        new_email: user.email_change.clone().filter(|_| kind.letter() == LetterKind::EmailChange),
        data: data(user),
    }
}
