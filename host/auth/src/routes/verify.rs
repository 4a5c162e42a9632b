//! Codes and links come back: a user proves to read the letters to an address, and gets a session.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_host_db::AuthTx;
use behalf_web::{Routes, routes};
use http::{Method as Verb, StatusCode, Uri};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;
use utoipa::ToSchema;
use uuid::Uuid;

use super::codes::no_phones;
use super::landing::Landing;
use super::redirect_to::RedirectTo;
use crate::address;
use crate::body::Body;
use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::external::pkce;
use crate::proof::{self, Accepted};
use crate::session::{Method, Session};
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::one_time_tokens::{self, Kind, PKCE};
use crate::store::{sent_letters, users};
use crate::user::User;

/// What a client reads after the first half of a change of address.
const HALF: &str = "Confirmation link accepted. Please proceed to confirm link sent to the other email";

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(follow, verify))
}

/// A code with the address it was sent to, or the token of a link.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct Verify {
    /// `signup`, `invite`, `magiclink`, `recovery`, `email` or `email_change`.
    r#type: Option<String>,
    /// The code.
    token: Option<String>,
    /// The token of the link, in place of code and address.
    token_hash: Option<String>,
    /// The address that the code was sent to.
    email: Option<String>,
    /// Phones are not served.
    phone: Option<String>,
}

/// What is to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Confirmation,
    SignIn,
    Email,
    EmailChange,
}

impl Type {
    fn read(text: Option<&str>) -> Result<Self, AuthError> {
        match text.unwrap_or_default() {
            "" => Err(AuthError::validation("Verify requires a verification type")),
            "signup" | "invite" => Ok(Self::Confirmation),
            "magiclink" | "recovery" => Ok(Self::SignIn),
            "email" => Ok(Self::Email),
            "email_change" => Ok(Self::EmailChange),
            "sms" | "phone_change" => Err(no_phones()),
            _ => Err(AuthError::validation("Unsupported verification type")),
        }
    }

    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Confirmation => &[Kind::Confirmation],
            Self::SignIn => &[Kind::Recovery],
            Self::Email => &[Kind::Confirmation, Kind::Recovery],
            Self::EmailChange => &[Kind::EmailChangeNew, Kind::EmailChangeCurrent],
        }
    }
}

/// Verifies a code or the token of a link.
#[utoipa::path(
    post,
    path = "/auth/v1/verify",
    operation_id = "auth_verify",
    tag = "Auth",
    params(("redirect_to" = Option<String>, Query, description = "Clients send it; it changes nothing.")),
    request_body = Verify,
    responses(
        (status = 200, description = "The session; after the first half of a change of address, `{\"msg\", \"code\"}`",
            body = Session),
        (status = "4XX", description = "The code or link is not valid", body = AuthProblem)
    )
)]
async fn verify(State(auth): State<Auth>, client: Client, Body(body): Body<Verify>) -> Result<Response, AuthError> {
    let what = Type::read(body.r#type.as_deref())?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut found = match (given(body.token), given(body.token_hash)) {
        (Some(code), None) => {
            let Some(email) = given(body.email).filter(|_| given(body.phone).is_none()) else {
                let message = "Only an email address or phone number should be provided on verify";
                return Err(AuthError::validation(message));
            };
            let email =
                address::parse(&email).map_err(|_| AuthError::new(422, "validation_failed", "Invalid email format"))?;
            by_code(&auth, &client, &email, &code, what).await?
        }
        (None, Some(_)) if given(body.email).is_some() || given(body.phone).is_some() => {
            return Err(AuthError::validation("Only the token_hash and type should be provided"));
        }
        (None, Some(token)) => {
            auth.limits.try_link(client.ip)?;
            by_link(&auth, &token, what).await?
        }
        _ => return Err(AuthError::validation("Verify requires either a token or a token hash")),
    };
    match found.accept(&auth, &client).await? {
        Accepted::Half => {
            found.tx.commit().await?;
            Ok(Json(json!({ "msg": HALF, "code": "200" })).into_response())
        }
        Accepted::Whole => Ok(Json(found.sign_in(&auth, &client).await?).into_response()),
    }
}

/// Follows the link of a letter. It leads to the app, with the session in the fragment of the address; with a code for it, where
/// the letter was asked for in the PKCE flow; or with the error.
#[utoipa::path(
    get,
    path = "/auth/v1/verify",
    operation_id = "auth_follow_link",
    tag = "Auth",
    params(
        ("token" = Option<String>, Query, description = "The token of the link."),
        ("type" = Option<String>, Query, description = "What it is for, such as `signup` or `recovery`."),
        ("redirect_to" = Option<String>, Query, description = "Where the link leads.")
    ),
    responses(
        (status = 303, description = "To the app"),
        (status = "4XX", description = "It is no link of a letter", body = AuthProblem)
    )
)]
async fn follow(
    State(auth): State<Auth>,
    verb: Verb,
    uri: Uri,
    client: Client,
    RedirectTo(redirect_to): RedirectTo,
) -> Result<Response, AuthError> {
    if verb == Verb::HEAD {
        // Programs that check links in letters must not use them up.
        return Ok(StatusCode::OK.into_response());
    }
    let parameter = |name: &str| {
        let query = uri.query().unwrap_or_default().as_bytes();
        let found = form_urlencoded::parse(query).find(|(found, _)| found == name);
        found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    };
    let kind = parameter("type").ok_or_else(|| AuthError::validation("Verify requires a verification type"))?;
    let token = parameter("token").ok_or_else(|| AuthError::validation("Verify requires a token or a token hash"))?;
    auth.limits.try_link(client.ip)?;
    let is_pkce = token.starts_with(PKCE);
    let landing = Landing::new(&auth, &redirect_to)?;
    match followed(&auth, &client, &token, &kind).await {
        Ok(Followed::Session(session)) => landing.with_session(&session, &kind),
        Ok(Followed::Code(code)) => landing.with_code(code),
        Ok(Followed::Half) => landing.with_message(HALF, is_pkce),
        Err(error) => landing.with_error(&error, is_pkce),
    }
}

enum Followed {
    Session(Box<Session>),
    Code(Uuid),
    Half,
}

async fn followed(auth: &Auth, client: &Client, token: &str, kind: &str) -> Result<Followed, AuthError> {
    let mut found = by_link(auth, token, Type::read(Some(kind))?).await?;
    match (found.accept(auth, client).await?, one_time_tokens::flow_of(token)) {
        (Accepted::Half, _) => {
            found.tx.commit().await?;
            Ok(Followed::Half)
        }
        (Accepted::Whole, Some(flow)) => {
            let code = pkce::issue_code(&mut found.tx, flow).await?;
            found.tx.commit().await?;
            Ok(Followed::Code(code))
        }
        (Accepted::Whole, None) => Ok(Followed::Session(Box::new(found.sign_in(auth, client).await?))),
    }
}

/// A valid token, whose user is locked until the transaction ends.
struct Found {
    tx: AuthTx,
    user: User,
    kind: Kind,
}

impl Found {
    async fn accept(&mut self, auth: &Auth, client: &Client) -> Result<Accepted, AuthError> {
        if self.user.is_banned() {
            return Err(AuthError::new(403, "user_banned", "User is banned"));
        }
        let accepted = proof::accept(auth, &mut self.tx, &self.user, self.kind).await?;
        let entry = match self.kind {
            Kind::Confirmation => Some(Entry::SignedUp),
            Kind::EmailChangeNew | Kind::EmailChangeCurrent => Some(Entry::Modified),
            Kind::Recovery | Kind::Reauthentication => None,
        };
        if let Some(entry) = entry.filter(|_| accepted == Accepted::Whole) {
            audit_entries::add(&mut self.tx, &self.user, entry, Some(client), None).await?;
        }
        Ok(accepted)
    }

    async fn sign_in(mut self, auth: &Auth, client: &Client) -> Result<Session, AuthError> {
        let session = auth.sign_in(&mut self.tx, self.user.id, Method::Otp, client).await?;
        self.tx.commit().await?;
        Ok(session)
    }
}

/// Finds the token of a link and uses it up.
async fn by_link(auth: &Auth, token: &str, what: Type) -> Result<Found, AuthError> {
    let expired = || AuthError::new(403, "otp_expired", "Email link is invalid or has expired");
    let mut tx = auth.begin().await?;
    let found = one_time_tokens::by_link(&mut tx, token, what.kinds()).await?.ok_or_else(expired)?;
    let user = users::by_id(&mut tx, found.user).await?.ok_or_else(expired)?;
    if !one_time_tokens::use_link(&mut tx, token, found).await? || is_over(auth, &user, found.kind) {
        return Err(expired());
    }
    Ok(Found { tx, user, kind: found.kind })
}

/// Finds the user of a code. Each try is counted before the code is looked at.
async fn by_code(auth: &Auth, client: &Client, email: &str, code: &str, what: Type) -> Result<Found, AuthError> {
    let expired = || AuthError::new(403, "otp_expired", "Token has expired or is invalid");
    auth.limits.try_code(client.ip, email)?;
    let mut tx = auth.begin().await?;
    let has_tries = sent_letters::spend_try(&mut tx, &auth.options, email).await?;
    tx.commit().await?;
    if !has_tries {
        return Err(expired());
    }
    let hash = one_time_tokens::code_hash(email, code);
    let mut tx = auth.begin().await?;
    let user = if what == Type::EmailChange {
        match one_time_tokens::by_change_code(&mut tx, &hash).await? {
            Some(found) => users::by_id(&mut tx, found).await?,
            None => None,
        }
    } else {
        users::by_email(&mut tx, email).await?
    };
    // The same statements without an account, so that the time does not tell.
    let id = user.as_ref().map_or(Uuid::nil(), |user| user.id);
    let codes = one_time_tokens::codes(&mut tx, id).await?;
    let (user, codes) = user.zip(codes).ok_or_else(expired)?;
    let is_right = |kind: &&Kind| {
        let sent_to = if **kind == Kind::EmailChangeNew { &user.email_change } else { &user.email };
        sent_to.as_deref().is_some_and(|to| to.eq_ignore_ascii_case(email))
            && codes.is(**kind, &hash)
            && !is_over(auth, &user, **kind)
    };
    let kind = what.kinds().iter().find(is_right).copied().ok_or_else(expired)?;
    Ok(Found { tx, user, kind })
}

/// Whether a token of this kind was sent too long ago.
fn is_over(auth: &Auth, user: &User, kind: Kind) -> bool {
    let sent = match kind {
        Kind::Confirmation => user.confirmation_sent_at,
        Kind::Recovery => user.recovery_sent_at,
        Kind::Reauthentication => user.reauthentication_sent_at,
        Kind::EmailChangeNew | Kind::EmailChangeCurrent => user.email_change_sent_at,
    };
    one_time_tokens::is_over(sent, auth.options.code_lifetime)
}
