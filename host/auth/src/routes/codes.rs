//! Requests for one-time codes and links: otp, magiclink, recover, resend, reauthenticate.
//!
//! Strangers make them, and must not learn who has an account. So the answer depends on the address's form and on limits alone; it
//! is given before anybody looks for an account, and the letter is written after it.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use behalf_host_db::AuthTx;
use behalf_web::{Routes, routes};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::asked::{Asked, What};
use super::redirect_to::RedirectTo;
use crate::address;
use crate::body::Body;
use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::external::pkce::Challenge;
use crate::letters::{self, By};
use crate::signed_in::SignedIn;
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::users;
use crate::user::{User, check_metadata};

pub(super) fn routes() -> Routes<Auth> {
    Routes::new()
        .routes(routes!(otp))
        .routes(routes!(magic_link))
        .routes(routes!(recover))
        .routes(routes!(resend))
        .routes(routes!(reauthenticate))
}

/// A request for a letter.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct AskForLetter {
    /// The address.
    email: Option<String>,
    /// Phones are not served.
    phone: Option<String>,
    /// Of `/resend`: `signup` or `email_change`.
    r#type: Option<String>,
    /// Of `/otp`: whether a user is added where none has the address. True where it is absent.
    create_user: Option<bool>,
    /// `user_metadata` of a user who is added.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The challenge of the PKCE flow.
    code_challenge: Option<String>,
    /// `s256` or `plain`.
    code_challenge_method: Option<String>,
}

/// The answer to a request for a letter. It says nothing about accounts.
#[derive(Debug, ToSchema)]
struct LetterAsked {}

/// A request for a letter, with who sent it and where the link leads.
struct LetterRequest {
    client: Client,
    redirect_to: String,
    body: AskForLetter,
}

impl FromRequest<Auth> for LetterRequest {
    type Rejection = AuthError;

    async fn from_request(request: Request, auth: &Auth) -> Result<Self, AuthError> {
        let (mut parts, body) = request.into_parts();
        let client = Client::from_request_parts(&mut parts, auth).await?;
        let RedirectTo(redirect_to) = RedirectTo::from_request_parts(&mut parts, auth).await?;
        let Body(body) = Body::from_request(Request::from_parts(parts, body), auth).await?;
        Ok(Self { client, redirect_to, body })
    }
}

/// Sends a code and a link with which the user signs in. A user is added where none has the address, unless `create_user` is false
/// or this project takes no sign-ups.
#[utoipa::path(
    post,
    path = "/auth/v1/otp",
    operation_id = "auth_otp",
    tag = "Auth",
    params(("redirect_to" = Option<String>, Query, description = "Where the link leads.")),
    request_body = AskForLetter,
    responses(
        (status = 200, description = "A letter is on its way, if there is anything to send", body = LetterAsked),
        (status = "4XX", description = "The request is refused", body = AuthProblem)
    )
)]
async fn otp(State(auth): State<Auth>, request: LetterRequest) -> Result<Json<Value>, AuthError> {
    let creates = request.body.create_user.unwrap_or(true);
    sign_in(&auth, request, creates).await
}

/// Sends a link with which the user signs in: `/otp` for older clients.
#[utoipa::path(
    post,
    path = "/auth/v1/magiclink",
    operation_id = "auth_magic_link",
    tag = "Auth",
    params(("redirect_to" = Option<String>, Query, description = "Where the link leads.")),
    request_body = AskForLetter,
    responses(
        (status = 200, description = "A letter is on its way, if there is anything to send", body = LetterAsked),
        (status = "4XX", description = "The request is refused", body = AuthProblem)
    )
)]
async fn magic_link(State(auth): State<Auth>, request: LetterRequest) -> Result<Json<Value>, AuthError> {
    sign_in(&auth, request, true).await
}

async fn sign_in(auth: &Auth, mut request: LetterRequest, creates: bool) -> Result<Json<Value>, AuthError> {
    let data = request.body.data.take().filter(|data| !data.is_null()).unwrap_or_else(|| json!({}));
    check_metadata(&data)?;
    let what = What::SignIn(Some(data).filter(|_| creates && auth.options.sign_up));
    ask(auth, request, what, "One of email or phone must be set").await
}

/// Sends a link with which a user who forgot the password signs in.
#[utoipa::path(
    post,
    path = "/auth/v1/recover",
    operation_id = "auth_recover",
    tag = "Auth",
    params(("redirect_to" = Option<String>, Query, description = "Where the link leads.")),
    request_body = AskForLetter,
    responses(
        (status = 200, description = "A letter is on its way, if there is an account", body = LetterAsked),
        (status = "4XX", description = "The request is refused", body = AuthProblem)
    )
)]
async fn recover(State(auth): State<Auth>, request: LetterRequest) -> Result<Json<Value>, AuthError> {
    ask(&auth, request, What::Recovery, "Password recovery requires an email").await
}

/// Sends the confirmation of a new account or a new address again, with a new code.
#[utoipa::path(
    post,
    path = "/auth/v1/resend",
    operation_id = "auth_resend",
    tag = "Auth",
    params(("redirect_to" = Option<String>, Query, description = "Where the link leads.")),
    request_body = AskForLetter,
    responses(
        (status = 200, description = "A letter is on its way, if something waits for it", body = LetterAsked),
        (status = "4XX", description = "The request is refused", body = AuthProblem)
    )
)]
async fn resend(State(auth): State<Auth>, request: LetterRequest) -> Result<Json<Value>, AuthError> {
    let what = match request.body.r#type.as_deref() {
        Some("signup") => What::Confirmation,
        Some("email_change") => What::EmailChange,
        Some("sms" | "phone_change") => return Err(no_phones()),
        _ => {
            return Err(AuthError::validation("Missing one of these types: signup, email_change, sms, phone_change"));
        }
    };
    ask(&auth, request, what, "Type provided requires an email address").await
}

/// Sends a code with which a signed-in user shows to be there, before a change of the password.
#[utoipa::path(
    get,
    path = "/auth/v1/reauthenticate",
    operation_id = "auth_reauthenticate",
    tag = "Auth",
    responses(
        (status = 200, description = "A letter is on its way", body = LetterAsked),
        (status = "4XX", description = "The request is refused", body = AuthProblem)
    )
)]
async fn reauthenticate(
    State(auth): State<Auth>,
    method: Method,
    client: Client,
    caller: SignedIn,
) -> Result<Json<Value>, AuthError> {
    if method == Method::HEAD {
        return Ok(Json(json!({})));
    }
    auth.limits.letter(client.ip)?;
    let mut tx = auth.begin().await?;
    let seen = users::read(&mut tx, caller.user).await?.ok_or_else(no_user)?;
    let address = proved_address(&seen)?;
    letters::count(&auth, &mut tx, By::Owner(&client), address).await?;
    // Locked only now: letters are counted first, wherever one is sent.
    let user = users::by_id(&mut tx, caller.user).await?.ok_or_else(no_user)?;
    if proved_address(&user)? != address {
        return Err(AuthError::new(409, "conflict", "The user was changed at the same time; try again"));
    }
    let posted = letters::reauthentication(&auth, &mut tx, &user).await?;
    audit_entries::add(&mut tx, &user, Entry::ReauthenticationRequested, Some(&client), None).await?;
    posted.commit(&auth, tx).await?;
    Ok(Json(json!({})))
}

/// The user's address, which somebody proved to be theirs.
fn proved_address(user: &User) -> Result<&str, AuthError> {
    let address = user.email.as_deref().filter(|email| !email.is_empty());
    let address = address.ok_or_else(|| {
        AuthError::validation("Reauthentication requires the user to have an email or a phone number")
    })?;
    if user.email_confirmed_at.is_none() {
        return Err(AuthError::new(422, "email_not_confirmed", "Please verify your email first."));
    }
    Ok(address)
}

/// The user of the token does not exist any more.
pub(super) fn no_user() -> AuthError {
    AuthError::new(403, "user_not_found", "User from sub claim in JWT does not exist")
}

/// Codes are sent by mail only.
pub(super) fn no_phones() -> AuthError {
    AuthError::new(400, "phone_provider_disabled", "Unsupported phone provider")
}

/// Counts the request, answers, and writes the letter afterwards.
async fn ask(auth: &Auth, request: LetterRequest, what: What, missing: &'static str) -> Result<Json<Value>, AuthError> {
    let LetterRequest { client, redirect_to, body } = request;
    auth.limits.letter(client.ip)?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let address = match (given(&body.email), given(&body.phone)) {
        (Some(_), Some(_)) => {
            return Err(AuthError::validation("Only an email address or phone number should be provided"));
        }
        (None, Some(_)) => return Err(no_phones()),
        (None, None) => return Err(AuthError::validation(missing)),
        (Some(email), None) => address::parse(&email)?,
    };
    let challenge = Challenge::read(body.code_challenge.as_deref(), body.code_challenge_method.as_deref())?;
    letters::ready(auth)?;
    let mut tx = auth.begin().await?;
    letters::count(auth, &mut tx, By::Anybody(&client), &address).await?;
    let asked = Asked { client, address, redirect_to, challenge, what };
    commit_and_write(auth.clone(), tx, asked).await?;
    Ok(Json(json!({})))
}

/// Commits the count, and returns before the letter is written. A client that goes away does not stop it: the next letter to the
/// address waits for this one.
async fn commit_and_write(auth: Auth, tx: AuthTx, asked: Asked) -> Result<(), AuthError> {
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(error) = tx.commit().await {
            tell.send(Err(AuthError::from(error))).ok();
            return;
        }
        let place = auth.limits.writer().await;
        tell.send(Ok(())).ok();
        if let Err(error) = asked.write(&auth).await {
            tracing::warn!(code = error.code, "a letter was asked for and could not be written");
        }
        drop(place);
    });
    told.await.unwrap_or_else(|error| Err(AuthError::internal(&error)))
}
