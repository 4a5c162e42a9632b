//! Signing up: with an address and a password, or without any, as an anonymous user.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use behalf_host_db::AuthTx;
use behalf_passwords::Checked;
use behalf_web::{Routes, routes};
use chrono::{SubsecRound as _, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use super::redirect_to::RedirectTo;
use crate::address;
use crate::body::Body;
use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::external::pkce::Challenge;
use crate::letters::{self, By, LinkKind, Posted};
use crate::session::{Method, Session};
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::identities::{self, NewIdentity};
use crate::store::users::{self, NewUser};
use crate::user::{Identity, User, check_metadata};

/// How long after its password was hashed a sign-up that needs a confirmation is answered. To add an account takes a few milliseconds
/// longer than to find one.
const ANSWER_AFTER: Duration = Duration::from_millis(100);

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(sign_up))
}

/// Who signs up. Without an address it is an anonymous user.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct SignUp {
    /// The address.
    #[serde(default)]
    email: Option<String>,
    /// Not offered here.
    #[serde(default)]
    phone: Option<String>,
    /// The password.
    #[serde(default)]
    password: Option<String>,
    /// `user_metadata`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The challenge of an app that exchanges a code for the session (PKCE).
    #[serde(default)]
    code_challenge: Option<String>,
    /// `s256` or `plain`.
    #[serde(default)]
    code_challenge_method: Option<String>,
}

/// What is needed of a sign-up with an address.
struct NewAccount {
    email: String,
    password: String,
    data: Value,
    challenge: Option<Challenge>,
    redirect_to: String,
}

/// Signs a user up. The answer is a session where the address needs no confirmation, and otherwise the user, who gets a letter.
/// For an address that has an account already, it looks the same.
#[utoipa::path(
    post, path = "/auth/v1/signup", tag = "Auth", operation_id = "sign_up", security(()),
    params(("redirect_to" = Option<String>, Query, description = "Where the link in the letter leads")),
    request_body = SignUp,
    responses(
        (status = 200, description = "The session, or the user without one", body = Session),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
async fn sign_up(
    State(auth): State<Auth>,
    RedirectTo(redirect_to): RedirectTo,
    client: Client,
    Body(request): Body<SignUp>,
) -> Result<Json<Value>, AuthError> {
    auth.limits.sign_up(client.ip)?;
    if !auth.options.sign_up {
        return Err(AuthError::new(422, "signup_disabled", "Signups not allowed for this instance"));
    }
    let is_sent = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let data = request.data.clone().filter(|data| !data.is_null()).unwrap_or_else(|| json!({}));
    check_metadata(&data)?;
    match (is_sent(&request.email), is_sent(&request.phone)) {
        (false, false) => anonymous(&auth, data, &client).await,
        (true, false) => with_address(&auth, read(&auth, request, data, redirect_to)?, &client).await,
        (true, true) => {
            Err(AuthError::validation("Only an email address or phone number should be provided on signup."))
        }
        (false, true) => Err(AuthError::new(400, "phone_provider_disabled", "Phone signups are disabled")),
    }
}

async fn anonymous(auth: &Auth, data: Value, client: &Client) -> Result<Json<Value>, AuthError> {
    if !auth.options.anonymous {
        return Err(AuthError::new(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled"));
    }
    let mut tx = auth.begin().await?;
    let new = NewUser { user_metadata: data, anonymous: true, app_metadata: json!({}), ..NewUser::default() };
    let user = users::add(&mut tx, &new).await?;
    let session = auth.sign_in(&mut tx, user.id, Method::Anonymous, client).await?;
    tx.commit().await?;
    answer(&session)
}

fn read(auth: &Auth, request: SignUp, data: Value, redirect_to: String) -> Result<NewAccount, AuthError> {
    let password = request.password.filter(|password| !password.is_empty());
    let password = password.ok_or_else(|| AuthError::validation("Signup requires a valid password"))?;
    let email = address::parse(request.email.as_deref().unwrap_or_default())?;
    auth.check_new_password(&password, &[email.as_str()])?;
    let challenge = Challenge::read(request.code_challenge.as_deref(), request.code_challenge_method.as_deref())?;
    Ok(NewAccount { email, password, data, challenge, redirect_to })
}

async fn with_address(auth: &Auth, new: NewAccount, client: &Client) -> Result<Json<Value>, AuthError> {
    if !auth.options.auto_confirm {
        letters::ready(auth)?;
    }
    // Whether or not there is an account: the work must not tell.
    let hash = auth.hasher.hash(&new.password).await?;
    if auth.options.auto_confirm {
        let mut tx = auth.begin().await?;
        let existing = users::by_email(&mut tx, &new.email).await?;
        return confirmed_at_once(auth, tx, existing, &new, hash, client).await;
    }
    let known = has_password(auth, &new).await?;
    let until = Instant::now() + ANSWER_AFTER;
    let answer = confirm_later(auth, &new, hash, known, client).await;
    tokio::time::sleep_until(until).await;
    answer
}

/// Adds an account that waits for its confirmation, or looks as if it did. `known` is the hash of this password, where a waiting
/// account has it already.
async fn confirm_later(
    auth: &Auth,
    new: &NewAccount,
    hash: String,
    known: Option<String>,
    client: &Client,
) -> Result<Json<Value>, AuthError> {
    let mut tx = auth.begin().await?;
    // Counted for every address alike, and the refusal is the same too. Sign-ups at the same moment follow one another from here on,
    // so that the second sees the account of the first.
    letters::count(auth, &mut tx, By::Anybody(client), &new.email).await?;
    let Some(user) = users::by_email(&mut tx, &new.email).await? else {
        let user = add(&mut tx, new, hash, false).await?;
        let posted = write(auth, &mut tx, &user, new, client).await?;
        let answer = auth.user_json(&mut tx, user.id).await?;
        posted.commit(auth, tx).await?;
        return Ok(Json(answer));
    };
    let answer = lookalike(&mut tx, new).await?;
    if user.email_confirmed_at.is_some() {
        audit_entries::add(&mut tx, &user, Entry::SignedUpAgain, Some(client), traits()).await?;
        tx.commit().await?;
        return Ok(Json(answer));
    }
    // Two who cannot both be the owner of the address. Whoever proves to be it gets in by the letter, and not with a password that
    // the other one chose.
    if known.is_none_or(|known| user.encrypted_password.as_deref() != Some(known.as_str())) {
        users::drop_password(&mut tx, user.id).await?;
    }
    let posted = write(auth, &mut tx, &user, new, client).await?;
    posted.commit(auth, tx).await?;
    Ok(Json(answer))
}

/// The letter that confirms a new account.
async fn write(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    new: &NewAccount,
    client: &Client,
) -> Result<Posted, AuthError> {
    audit_entries::add(tx, user, Entry::ConfirmationRequested, Some(client), traits()).await?;
    letters::write(auth, tx, user, LinkKind::SignUp, &new.redirect_to, new.challenge.as_ref()).await
}

fn traits() -> Option<Value> {
    Some(json!({ "provider": "email" }))
}

/// The stored hash, if an account of this address waits for its confirmation and has this password. The work is the same otherwise.
async fn has_password(auth: &Auth, new: &NewAccount) -> Result<Option<String>, AuthError> {
    let mut tx = auth.begin().await?;
    let user = users::read_by_email(&mut tx, &new.email).await?.filter(|user| user.email_confirmed_at.is_none());
    tx.commit().await?;
    let checked = auth.check_password(&new.password, user.as_ref()).await?;
    Ok(user.filter(|_| checked != Checked::Wrong).and_then(|user| user.encrypted_password))
}

async fn confirmed_at_once(
    auth: &Auth,
    mut tx: AuthTx,
    existing: Option<User>,
    new: &NewAccount,
    hash: String,
    client: &Client,
) -> Result<Json<Value>, AuthError> {
    if existing.is_some() {
        return Err(AuthError::new(422, "user_already_exists", "User already registered"));
    }
    let user = add(&mut tx, new, hash, true).await?;
    audit_entries::add(&mut tx, &user, Entry::SignedUp, Some(client), traits()).await?;
    let session = auth.sign_in(&mut tx, user.id, Method::Password, client).await?;
    tx.commit().await?;
    answer(&session)
}

/// Adds the user and the identity of the address.
async fn add(tx: &mut AuthTx, new: &NewAccount, hash: String, confirmed: bool) -> Result<User, AuthError> {
    let id = Uuid::new_v4();
    let row = NewUser {
        id: Some(id),
        email: Some(new.email.clone()),
        password: Some(hash),
        confirmed,
        app_metadata: app_metadata(),
        // What the app sent, and as GoTrue does, what the identity says.
        user_metadata: identity_data(new, id, confirmed),
        ..NewUser::default()
    };
    // Two sign-ups at the same moment: the second is told what it would have been told a moment later.
    let user = users::add(tx, &row).await.map_err(|error| match error.code {
        "email_exists" => AuthError::new(422, "user_already_exists", "User already registered"),
        _ => error,
    })?;
    let identity = NewIdentity {
        user: id,
        provider: "email".to_owned(),
        provider_id: id.to_string(),
        data: identity_data(new, id, confirmed),
    };
    identities::add(tx, &identity).await?;
    Ok(user)
}

fn app_metadata() -> Value {
    json!({ "provider": "email", "providers": ["email"] })
}

/// What the address's identity says.
fn identity_data(new: &NewAccount, id: Uuid, confirmed: bool) -> Value {
    let mut data = new.data.clone();
    data["sub"] = json!(id);
    data["email"] = json!(new.email);
    data["email_verified"] = json!(confirmed);
    data["phone_verified"] = json!(false);
    data
}

/// What somebody sees who signs up with an address that has an account: an account that looks new. GoTrue leaves its identities
/// out, by which everybody can tell; here nobody can.
async fn lookalike(tx: &mut AuthTx, new: &NewAccount) -> Result<Value, AuthError> {
    // Times of the database have microseconds.
    let (id, now) = (Uuid::new_v4(), Utc::now().trunc_subsecs(6));
    // The database prints some numbers otherwise than they were sent.
    let data = users::as_stored(tx, &identity_data(new, id, false)).await?;
    let user = User {
        id,
        aud: Some("authenticated".to_owned()),
        role: Some("authenticated".to_owned()),
        email: Some(new.email.clone()),
        encrypted_password: None,
        email_confirmed_at: None,
        invited_at: None,
        confirmation_sent_at: Some(now),
        recovery_sent_at: None,
        email_change: None,
        email_change_sent_at: None,
        email_change_confirm_status: None,
        reauthentication_sent_at: None,
        last_sign_in_at: None,
        raw_app_meta_data: Some(app_metadata()),
        raw_user_meta_data: Some(data.clone()),
        phone: None,
        phone_confirmed_at: None,
        banned_until: None,
        created_at: Some(now),
        updated_at: Some(now),
        deleted_at: None,
        is_sso_user: false,
        is_anonymous: false,
    };
    let identity = Identity {
        id: Uuid::new_v4(),
        provider_id: id.to_string(),
        user_id: id,
        identity_data: data,
        provider: "email".to_owned(),
        last_sign_in_at: Some(now),
        created_at: Some(now),
        updated_at: Some(now),
        email: Some(new.email.clone()),
    };
    Ok(user.to_json(&[identity], &[]))
}

fn answer(session: &Session) -> Result<Json<Value>, AuthError> {
    serde_json::to_value(session).map(Json).map_err(|error| AuthError::internal(&error))
}
