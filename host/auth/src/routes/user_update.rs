//! The signed-in user changes their own account: address, password, metadata. Never the role, nor `app_metadata`.

use axum::Json;
use axum::extract::State;
use behalf_host_db::AuthTx;
use behalf_passwords::Checked;
use behalf_web::{Routes, routes};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::codes::{no_phones, no_user};
use super::redirect_to::RedirectTo;
use crate::address;
use crate::body::Body;
use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::external::pkce::Challenge;
use crate::letters::{self, Posted};
use crate::proof;
use crate::session::Which;
use crate::signed_in::SignedIn;
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::one_time_tokens::{self, Kind};
use crate::store::{sent_letters, users};
use crate::user::{User, check_metadata};

/// How long after a sign-in the password may be changed without a code, where codes are needed.
const RECENT: TimeDelta = TimeDelta::hours(24);

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(update))
}

/// What to change. What is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct UserUpdate {
    /// The new address. It counts once it is confirmed.
    email: Option<String>,
    /// The new password. Every other session of the user ends.
    password: Option<String>,
    /// The code of `/reauthenticate`.
    nonce: Option<String>,
    /// Parts of `user_metadata`; null removes one.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// Only administrators change it.
    #[schema(value_type = Option<Object>)]
    app_metadata: Option<Value>,
    /// Phones are not served.
    phone: Option<String>,
    /// The challenge of the PKCE flow.
    code_challenge: Option<String>,
    /// `s256` or `plain`.
    code_challenge_method: Option<String>,
}

/// A change that was read and has the documented form.
struct Change {
    email: Option<String>,
    password: Option<String>,
    nonce: String,
    data: Option<Map<String, Value>>,
    challenge: Option<Challenge>,
    redirect_to: String,
}

/// Changes the signed-in user.
#[utoipa::path(
    put,
    path = "/auth/v1/user",
    operation_id = "auth_update_user",
    tag = "Auth",
    params(("redirect_to" = Option<String>, Query, description = "Where the link to confirm a new address leads.")),
    request_body = UserUpdate,
    responses(
        (status = 200, description = "The user; a new address is `new_email` until it is confirmed", body = Object),
        (status = "4XX", description = "The change is refused", body = AuthProblem)
    )
)]
async fn update(
    State(auth): State<Auth>,
    client: Client,
    caller: SignedIn,
    RedirectTo(redirect_to): RedirectTo,
    Body(body): Body<UserUpdate>,
) -> Result<Json<Value>, AuthError> {
    let change = body.read(redirect_to)?;
    let (user, signed_in_at) = look(&auth, &caller).await?;
    let is_new = |email: &String| user.email.as_deref() != Some(email);
    let change = Change { email: change.email.filter(is_new), ..change };
    check_rights(&auth, &caller, &user, &change).await?;
    let new_hash = match &change.password {
        Some(password) => Some(new_hash(&auth, &client, &user, signed_in_at, password, &change).await?),
        None => None,
    };
    if change.email.is_some() {
        auth.limits.letter(client.ip)?;
    }
    let mut tx = auth.begin().await?;
    if let Some(email) = change.email.as_ref().filter(|_| needs_letter(&auth, &user)) {
        // Before the user's row is locked.
        letters::count_email_change(&auth, &mut tx, &client, &user, email).await?;
    }
    let posted = write(&auth, &mut tx, &caller, &user, &change, new_hash).await?;
    note(&mut tx, &user, &change, &client).await?;
    let answer = auth.user_json(&mut tx, user.id).await?;
    posted.commit(&auth, tx).await?;
    Ok(Json(answer))
}

/// Whether the address of this user changes by a letter, and not at once.
fn needs_letter(auth: &Auth, user: &User) -> bool {
    !(user.is_anonymous && auth.options.auto_confirm)
}

/// Notes the change in the log of users.
async fn note(tx: &mut AuthTx, user: &User, change: &Change, client: &Client) -> Result<(), AuthError> {
    if change.password.is_some() {
        audit_entries::add(tx, user, Entry::PasswordUpdated, Some(client), None).await?;
    }
    audit_entries::add(tx, user, Entry::Modified, Some(client), None).await
}

impl UserUpdate {
    fn read(self, redirect_to: String) -> Result<Change, AuthError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if self.app_metadata.is_some_and(|data| !data.is_null()) {
            return Err(AuthError::new(403, "not_admin", "Updating app_metadata requires admin privileges"));
        }
        if given(self.phone).is_some() {
            return Err(no_phones());
        }
        let data = match self.data {
            None | Some(Value::Null) => None,
            Some(Value::Object(data)) => Some(data),
            Some(_) => return Err(AuthError::validation("data must be an object")),
        };
        Ok(Change {
            email: given(self.email).map(|email| address::parse(&email)).transpose()?,
            password: given(self.password),
            nonce: self.nonce.unwrap_or_default(),
            data,
            challenge: Challenge::read(self.code_challenge.as_deref(), self.code_challenge_method.as_deref())?,
            redirect_to,
        })
    }
}

/// The user of a token and when the session began, which must not have ended.
async fn look(auth: &Auth, caller: &SignedIn) -> Result<(User, Option<DateTime<Utc>>), AuthError> {
    let mut tx = auth.begin().await?;
    let user = users::by_id(&mut tx, caller.user).await?.ok_or_else(no_user)?;
    let began = session_began(&mut tx, caller).await?;
    Ok((user, began))
}

/// When the session of the token began; `None` where the token names none. It is looked up here, because a session that just ended
/// must change nothing.
async fn session_began(tx: &mut AuthTx, caller: &SignedIn) -> Result<Option<DateTime<Utc>>, AuthError> {
    let Some(session) = caller.session else { return Ok(None) };
    let began: Option<Option<DateTime<Utc>>> =
        sqlx::query_scalar("select created_at from auth.sessions where id = $1 and user_id = $2")
            .bind(session)
            .bind(caller.user)
            .fetch_optional(&mut **tx)
            .await?;
    let ended = || AuthError::new(403, "session_not_found", "Session from session_id claim in JWT does not exist");
    began.ok_or_else(ended)
}

/// Refuses changes that this user may not make in this session.
async fn check_rights(auth: &Auth, caller: &SignedIn, user: &User, change: &Change) -> Result<(), AuthError> {
    let is_sensitive = change.password.is_some() || change.email.is_some();
    if is_sensitive && user.is_sso_user {
        let message = "Updating email, phone, password of a SSO account only possible via SSO";
        return Err(AuthError::new(422, "user_sso_managed", message));
    }
    if user.is_anonymous && change.password.is_some() && change.email.is_none() {
        let message = "Updating password of an anonymous user without an email or phone is not allowed";
        return Err(AuthError::new(422, "validation_failed", message));
    }
    if is_sensitive && caller.aal != "aal2" {
        let mut tx = auth.begin().await?;
        let has_factor: bool = sqlx::query_scalar(
            "select exists (select from auth.mfa_factors where user_id = $1 and status = 'verified')",
        )
        .bind(user.id)
        .fetch_one(&mut *tx)
        .await?;
        if has_factor {
            let message = "AAL2 session is required to update email or password when MFA is enabled.";
            return Err(AuthError::new(401, "insufficient_aal", message));
        }
    }
    if change.email.is_some() && needs_letter(auth, user) {
        letters::ready(auth)?;
    }
    Ok(())
}

/// The hash of the new password, if it may be set. No transaction is open meanwhile: hashing takes long.
async fn new_hash(
    auth: &Auth,
    client: &Client,
    user: &User,
    signed_in_at: Option<DateTime<Utc>>,
    password: &str,
    change: &Change,
) -> Result<String, AuthError> {
    let address = change.email.as_deref().or(user.email.as_deref()).unwrap_or_default();
    auth.check_new_password(password, &[address])?;
    let is_recent = signed_in_at.is_some_and(|at| at + RECENT > Utc::now());
    if auth.options.password_change_needs_reauthentication && !is_recent {
        reauthenticate(auth, client, user, &change.nonce).await?;
    }
    // The answer tells whether it is the present password, so this is a try of one.
    auth.limits.try_password(client.ip, &user.id.to_string())?;
    let stored = user.encrypted_password.as_deref().filter(|stored| !stored.is_empty());
    if stored.is_some() && auth.hasher.check(password, stored).await? != Checked::Wrong {
        let message = "New password should be different from the old password.";
        return Err(AuthError::new(422, "same_password", message));
    }
    Ok(auth.hasher.hash(password).await?)
}

/// Checks the code of `/reauthenticate` and uses it up.
async fn reauthenticate(auth: &Auth, client: &Client, user: &User, nonce: &str) -> Result<(), AuthError> {
    if nonce.is_empty() {
        let message = "Password update requires reauthentication";
        return Err(AuthError::new(400, "reauthentication_needed", message));
    }
    let wrong = || AuthError::new(422, "reauthentication_not_valid", "Nonce has expired or is invalid");
    let address = user.email.as_deref().filter(|email| !email.is_empty()).ok_or_else(wrong)?;
    auth.limits.try_code(client.ip, address)?;
    let mut tx = auth.begin().await?;
    let has_tries = sent_letters::spend_try(&mut tx, &auth.options, address).await?;
    tx.commit().await?;
    if !has_tries {
        return Err(wrong());
    }
    let mut tx = auth.begin().await?;
    let user = users::by_id(&mut tx, user.id).await?.ok_or_else(no_user)?;
    let codes = one_time_tokens::codes(&mut tx, user.id).await?.ok_or_else(no_user)?;
    let hash = one_time_tokens::code_hash(address, nonce);
    let is_over = one_time_tokens::is_over(user.reauthentication_sent_at, auth.options.code_lifetime);
    if is_over || !codes.is(Kind::Reauthentication, &hash) {
        return Err(wrong());
    }
    one_time_tokens::clear_reauthentication(&mut tx, user.id).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes the changes. `seen` is the user as they were when the change was checked.
async fn write(
    auth: &Auth,
    tx: &mut AuthTx,
    caller: &SignedIn,
    seen: &User,
    change: &Change,
    new_hash: Option<String>,
) -> Result<Posted, AuthError> {
    let user = users::by_id(tx, caller.user).await?.ok_or_else(no_user)?;
    session_began(tx, caller).await?;
    let is_sensitive = new_hash.is_some() || change.email.is_some();
    // Letters were counted for the user who was seen.
    let is_other = user.email != seen.email || user.is_anonymous != seen.is_anonymous;
    if is_sensitive && (is_other || user.encrypted_password != seen.encrypted_password) {
        return Err(AuthError::new(409, "conflict", "The user was changed at the same time; try again"));
    }
    if let Some(hash) = new_hash {
        set_password(tx, user.id, &hash).await?;
        auth.end_sessions(tx, user.id, caller.session.map_or(Which::All, Which::AllBut)).await?;
    }
    if let Some(data) = &change.data {
        merge_metadata(tx, &user, data).await?;
    }
    match &change.email {
        Some(email) => change_address(auth, tx, &user, email, change).await,
        None => Ok(Posted::default()),
    }
}

/// Stores a password. Codes and links that were sent before are valid no more: whoever asked for them may not be the user.
async fn set_password(tx: &mut AuthTx, user: Uuid, hash: &str) -> Result<(), AuthError> {
    sqlx::query("update auth.users set encrypted_password = $2, updated_at = now() where id = $1")
        .bind(user)
        .bind(hash)
        .execute(&mut **tx)
        .await?;
    one_time_tokens::clear(tx, user).await
}

async fn merge_metadata(tx: &mut AuthTx, user: &User, data: &Map<String, Value>) -> Result<(), AuthError> {
    let mut merged = user.raw_user_meta_data.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in data {
        match value {
            Value::Null => drop(merged.remove(name)),
            _ => drop(merged.insert(name.clone(), value.clone())),
        }
    }
    let merged = Value::Object(merged);
    check_metadata(&merged)?;
    sqlx::query("update auth.users set raw_user_meta_data = $2, updated_at = now() where id = $1")
        .bind(user.id)
        .bind(merged)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn change_address(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    new: &str,
    change: &Change,
) -> Result<Posted, AuthError> {
    let is_taken = proof::is_taken(tx, new, user.id).await?;
    // Where addresses count without a letter, signing up tells who has an account, and so does this.
    if is_taken && auth.options.auto_confirm {
        return Err(proof::taken());
    }
    if !needs_letter(auth, user) {
        proof::set_address(tx, user.id, new).await?;
        return Ok(Posted::default());
    }
    sent_letters::after_pause(&auth.options, user.email_change_sent_at)?;
    let challenge = change.challenge.as_ref();
    letters::write_email_change(auth, tx, user, new, is_taken, &change.redirect_to, challenge).await
}
