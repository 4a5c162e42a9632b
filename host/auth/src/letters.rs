//! Letters of sign-in: their codes and links, and when they are sent.
//!
//! Each function stores the hashes of a new code and link and returns the letter. The caller commits, and then posts it: nobody gets
//! a letter whose code was not stored. Where an answer must not tell whether there is an account, the caller counts the letter
//! before it looks ([`count`]) and writes it after its answer (`write_…`).

use behalf_host_db::AuthTx;
use behalf_mail::{Letter, LetterKind};
use serde_json::Value;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::error::AuthError;
use crate::external::pkce::Challenge;
use crate::session::Method;
use crate::state::Auth;
use crate::store::one_time_tokens::{self, Fresh, Kind};
use crate::store::sent_letters::{self, Pause};
use crate::user::User;

/// Letters whose codes are stored. They are sent once the transaction is committed.
#[must_use = "letters are sent by `post`, after the commit"]
#[derive(Default)]
pub(crate) struct Posted(Vec<Letter>);

impl Posted {
    /// Sends them.
    pub(crate) fn post(self, auth: &Auth) {
        for letter in self.0 {
            auth.outbox.post(letter);
        }
    }
}

/// What a link that an administrator asked for does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// Confirms a new account.
    SignUp,
    /// Confirms an account that an administrator made.
    Invite,
    /// Signs in.
    MagicLink,
    /// Signs in to set a new password.
    Recovery,
    /// Confirms a change of address from the present one.
    EmailChangeCurrent,
    /// Confirms a change of address from the new one.
    EmailChangeNew,
}

impl LinkKind {
    /// The kind of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "signup" => Self::SignUp,
            "invite" => Self::Invite,
            "magiclink" => Self::MagicLink,
            "recovery" => Self::Recovery,
            "email_change_current" => Self::EmailChangeCurrent,
            "email_change_new" => Self::EmailChangeNew,
            _ => return None,
        })
    }

    /// The name by which clients ask for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "signup",
            Self::Invite => "invite",
            Self::MagicLink => "magiclink",
            Self::Recovery => "recovery",
            Self::EmailChangeCurrent => "email_change_current",
            Self::EmailChangeNew => "email_change_new",
        }
    }

    /// `type` in the link.
    fn verification(self) -> &'static str {
        match self {
            Self::EmailChangeCurrent | Self::EmailChangeNew => "email_change",
            _ => self.as_str(),
        }
    }

    fn token(self) -> Kind {
        match self {
            Self::SignUp | Self::Invite => Kind::Confirmation,
            Self::MagicLink | Self::Recovery => Kind::Recovery,
            Self::EmailChangeCurrent => Kind::EmailChangeCurrent,
            Self::EmailChangeNew => Kind::EmailChangeNew,
        }
    }

    fn letter(self) -> LetterKind {
        match self {
            Self::SignUp => LetterKind::Confirmation,
            Self::Invite => LetterKind::Invite,
            Self::MagicLink => LetterKind::MagicLink,
            Self::Recovery => LetterKind::Recovery,
            Self::EmailChangeCurrent | Self::EmailChangeNew => LetterKind::EmailChange,
        }
    }

    fn method(self) -> Method {
        match self {
            Self::SignUp => Method::EmailSignup,
            Self::Invite => Method::Invite,
            Self::MagicLink => Method::MagicLink,
            Self::Recovery => Method::Recovery,
            Self::EmailChangeCurrent | Self::EmailChangeNew => Method::EmailChange,
        }
    }
}

/// A link and its code, for an administrator who sends the letter.
#[derive(Clone)]
#[expect(clippy::struct_field_names, reason = "clients know them by these names")]
pub(crate) struct Link {
    /// The link.
    pub(crate) action_link: String,
    /// The code.
    pub(crate) email_otp: String,
    /// The token in the link, for `token_hash` of `/verify`.
    pub(crate) hashed_token: String,
    /// What was asked for.
    pub(crate) verification_type: &'static str,
    /// Where the link leads.
    pub(crate) redirect_to: String,
}

/// Fails where this project sends no letters.
pub(crate) fn ready(auth: &Auth) -> Result<(), AuthError> {
    if auth.outbox.sends() {
        Ok(())
    } else {
        Err(AuthError::new(422, "email_provider_disabled", "This project sends no letters"))
    }
}

/// Counts a letter to an address without writing one. A request whose answer must be the same with and without an account calls
/// it in both cases: a sign-up with an address that is taken, for example.
pub(crate) async fn count(auth: &Auth, tx: &mut AuthTx, address: &str) -> Result<(), AuthError> {
    sent_letters::take(tx, &auth.options, address, Pause::Kept).await
}

/// The confirmation of a new account, where the letter was counted.
pub(crate) async fn write_sign_up(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    redirect_to: &str,
    challenge: Option<&Challenge>,
) -> Result<Posted, AuthError> {
    write(auth, tx, user, LinkKind::SignUp, redirect_to, challenge).await
}

/// A link to a lost account, where the letter was counted.
pub(crate) async fn write_recovery(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    redirect_to: &str,
    challenge: Option<&Challenge>,
) -> Result<Posted, AuthError> {
    write(auth, tx, user, LinkKind::Recovery, redirect_to, challenge).await
}

/// A link that signs in, where the letter was counted.
pub(crate) async fn write_magic_link(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    redirect_to: &str,
    challenge: Option<&Challenge>,
) -> Result<Posted, AuthError> {
    write(auth, tx, user, LinkKind::MagicLink, redirect_to, challenge).await
}

/// An administrator's invitation.
pub(crate) async fn invite(auth: &Auth, tx: &mut AuthTx, user: &User, redirect_to: &str) -> Result<Posted, AuthError> {
    let posted = write(auth, tx, user, LinkKind::Invite, redirect_to, None).await?;
    sent_letters::take(tx, &auth.options, address(user)?, Pause::None).await?;
    Ok(posted)
}

async fn write(
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
    Ok(Posted(vec![letter(auth, user, to, kind, &fresh, redirect_to)]))
}

/// The confirmations of a new address, from it and where the project wants it from the present one as well. The letters were
/// counted. The new address gets none if `is_taken`: it belongs to another user, and the one who asks must not learn it.
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
    Ok(Posted(letters))
}

/// Counts the letters of a change of address that a signed-in user asked for.
pub(crate) async fn count_email_change(auth: &Auth, tx: &mut AuthTx, user: &User, new: &str) -> Result<(), AuthError> {
    sent_letters::after_pause(&auth.options, user.email_change_sent_at)?;
    sent_letters::take(tx, &auth.options, new, Pause::Kept).await?;
    match present(user).filter(|_| auth.options.confirm_both_addresses) {
        Some(old) => sent_letters::take(tx, &auth.options, old, Pause::None).await,
        None => Ok(()),
    }
}

/// Counts the letter to the new address of a change whose letters are sent again. The one to the present address was counted.
pub(crate) async fn count_again(auth: &Auth, tx: &mut AuthTx, new: &str) -> Result<(), AuthError> {
    sent_letters::take(tx, &auth.options, new, Pause::Kept).await
}

/// A code that shows that a signed-in user is there.
pub(crate) async fn reauthentication(auth: &Auth, tx: &mut AuthTx, user: &User) -> Result<Posted, AuthError> {
    ready(auth)?;
    sent_letters::after_pause(&auth.options, user.reauthentication_sent_at)?;
    let to = address(user)?;
    let kind = Kind::Reauthentication;
    let fresh = one_time_tokens::issue(tx, user.id, kind, to, auth.options.code_digits, None).await?;
    sent_letters::take(tx, &auth.options, to, Pause::None).await?;
    Ok(Posted(vec![Letter {
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
    sent_letters::note_unsent(tx, &auth.options, to).await?;
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

fn action_link(auth: &Auth, token: &str, kind: LinkKind, redirect_to: &str) -> String {
    verify_link(&auth.options.public_url, token, kind.verification(), redirect_to)
}

fn verify_link(host: &str, token: &str, kind: &str, redirect_to: &str) -> String {
    let address = format!("{host}/auth/v1/verify?");
    let start = address.len();
    let mut query = Serializer::for_suffix(address, start);
    query.append_pair("token", token).append_pair("type", kind).append_pair("redirect_to", redirect_to).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_where_it_leads_apart_from_its_own_parameters() {
        let link = verify_link("https://api.example", "ab", "signup", "https://app.example/a?b=c&type=recovery#d");
        let url = url::Url::parse(&link).expect("a link");
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(url.path(), "/auth/v1/verify");
        assert_eq!(
            pairs,
            [
                pair("token", "ab"),
                pair("type", "signup"),
                pair("redirect_to", "https://app.example/a?b=c&type=recovery#d")
            ]
        );
    }
}
