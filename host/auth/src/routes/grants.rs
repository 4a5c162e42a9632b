//! `POST /auth/v1/token`: the grants.

use axum::Json;
use axum::extract::State;
use behalf_passwords::Checked;
use behalf_web::{ApiError, Query, Routes, routes};
use serde::Deserialize;
use serde_json::Value;

use crate::body::Body;
use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::external::{id_token, pkce};
use crate::session::{Method, Session};
use crate::state::Auth;
use crate::store::users;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(token))
}

#[derive(Debug, Deserialize)]
struct Grant {
    #[serde(default)]
    grant_type: String,
}

/// Gets a session: by a password, a refresh token, the code of a sign-in elsewhere (PKCE), or a provider's ID token.
#[utoipa::path(
    post, path = "/auth/v1/token", tag = "Auth", operation_id = "grant_token", security(()),
    params(("grant_type" = String, Query, description = "`password`, `refresh_token`, `pkce` or `id_token`")),
    request_body(content = Object, description = "`{email, password}`, `{refresh_token}`, `{auth_code, code_verifier}` or \
        `{provider, id_token, nonce}`"),
    responses(
        (status = 200, description = "The session", body = Session),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
async fn token(
    State(auth): State<Auth>,
    grant: Result<Query<Grant>, ApiError>,
    client: Client,
    Body(body): Body<Value>,
) -> Result<Json<Session>, AuthError> {
    let Query(grant) = grant?;
    let session = match grant.grant_type.as_str() {
        "password" => password(&auth, &body, &client).await?,
        "refresh_token" => refresh(&auth, &body, &client).await?,
        "pkce" => {
            auth.limits.try_link(client.ip)?;
            pkce::grant(&auth, &body, &client).await?
        }
        "id_token" => {
            auth.limits.try_link(client.ip)?;
            id_token::grant(&auth, &body, &client).await?
        }
        "web3" => return Err(AuthError::new(422, "web3_provider_disabled", "Web3 provider is disabled")),
        _ => return Err(AuthError::new(400, "invalid_credentials", "unsupported_grant_type")),
    };
    Ok(Json(session))
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_default()
}

/// `{"email", "password"}`. Whether there is an account shows neither in the answer nor in the time.
async fn password(auth: &Auth, body: &Value, client: &Client) -> Result<Session, AuthError> {
    let (email, phone, password) = (text(body, "email"), text(body, "phone"), text(body, "password"));
    match (email.is_empty(), phone.is_empty()) {
        (false, false) => {
            return Err(AuthError::validation("Only an email address or phone number should be provided on login."));
        }
        (true, false) => return Err(AuthError::new(422, "phone_provider_disabled", "Phone logins are disabled")),
        (true, true) => return Err(AuthError::validation("missing email or phone")),
        (false, true) => {}
    }
    auth.limits.try_password(client.ip, email)?;
    // The connection is given back: many may wait for a place to hash.
    let mut tx = auth.begin().await?;
    let user = users::read_by_email(&mut tx, email).await?;
    tx.commit().await?;
    let checked = auth.check_password(password, user.as_ref()).await?;
    let (Some(user), Checked::Right | Checked::RightButOld) = (user, checked) else {
        return Err(AuthError::new(400, "invalid_credentials", "Invalid login credentials"));
    };
    // Only who knows the password learns more of the account.
    if user.is_banned() {
        return Err(AuthError::new(400, "user_banned", "User is banned"));
    }
    if user.email_confirmed_at.is_none() {
        return Err(AuthError::new(400, "email_not_confirmed", "Email not confirmed"));
    }
    let newer = match checked {
        Checked::RightButOld => Some(auth.hasher.hash(password).await?),
        _ => None,
    };
    let mut tx = auth.begin().await?;
    let old = user.encrypted_password.as_deref().unwrap_or_default();
    // The password may have been changed while this one was checked.
    let now = users::by_id(&mut tx, user.id).await?;
    if now.is_none_or(|now| now.encrypted_password.as_deref().unwrap_or_default() != old) {
        return Err(AuthError::new(400, "invalid_credentials", "Invalid login credentials"));
    }
    if let Some(newer) = newer {
        users::upgrade_hash(&mut tx, user.id, old, &newer).await?;
    }
    let mut session = auth.sign_in(&mut tx, user.id, Method::Password, client).await?;
    tx.commit().await?;
    auth.limits.password_was_right(client.ip, email);
    session.weak_password = auth.warning(password, &[email]);
    Ok(session)
}

/// `{"refresh_token"}`.
async fn refresh(auth: &Auth, body: &Value, client: &Client) -> Result<Session, AuthError> {
    let token = text(body, "refresh_token");
    if token.is_empty() {
        return Err(AuthError::validation("refresh_token required"));
    }
    auth.limits.try_refresh(client.ip)?;
    auth.refresh(token, client).await
}
