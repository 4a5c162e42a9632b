//! Links that the service role asks for, to send them itself, and invitations.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use behalf_host_db::{AuditAction, AuthTx};
use behalf_web::{ApiError, Json, Query, RequestId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::request::USER_ROLE;
use super::{commit, json_of};
use crate::address;
use crate::body::Body;
use crate::error::{AuthError, AuthProblem};
use crate::external::redirect;
use crate::letters::{self, By, Link, LinkKind};
use crate::signed_in::Admin;
use crate::state::Auth;
use crate::store::managed_users::{self, Change, merged};
use crate::store::users::{self, NewUser};
use crate::user::{User, check_metadata};

const LINK_GENERATED: AuditAction = AuditAction::new("link.generated");
const USER_INVITED: AuditAction = AuditAction::new("user.invited");

/// Where the link leads afterwards.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RedirectQuery {
    /// An address that the project allows; the app's own otherwise.
    redirect_to: Option<String>,
}

/// A link to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GenerateLink)]
pub(crate) struct LinkRequest {
    /// `signup`, `invite`, `magiclink`, `recovery`, `email_change_current` or `email_change_new`.
    #[serde(default)]
    r#type: String,
    /// The user's address.
    #[serde(default)]
    email: String,
    /// The new address, for a change of it.
    new_email: Option<String>,
    /// The password of a new user.
    password: Option<String>,
    /// `user_metadata` of a new user.
    #[schema(value_type = Option<Object>)]
    data: Option<Map<String, Value>>,
    /// Where the link leads afterwards.
    redirect_to: Option<String>,
}

/// Somebody to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Invite)]
pub(crate) struct InviteRequest {
    /// The address.
    #[serde(default)]
    email: String,
    /// `user_metadata` of a new user.
    #[schema(value_type = Option<Object>)]
    data: Option<Map<String, Value>>,
}

/// Makes a link and its code. Nothing is sent.
#[utoipa::path(
    post,
    path = "/auth/v1/admin/generate_link",
    operation_id = "admin_generate_link",
    tag = "Auth",
    params(RedirectQuery),
    request_body = LinkRequest,
    responses(
        (status = 200, description = "The user, with `action_link`, `email_otp`, `hashed_token`, `verification_type` and `redirect_to`", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn generate(
    State(auth): State<Auth>,
    admin: Admin,
    RequestId(request_id): RequestId,
    query: Result<Query<RedirectQuery>, ApiError>,
    Body(request): Body<LinkRequest>,
) -> Result<Response, AuthError> {
    let Query(query) = query?;
    let email = address::parse(&request.email)?;
    let mut kind = LinkKind::parse(&request.r#type).ok_or_else(|| {
        AuthError::validation(format!("Invalid email action link type requested: {}", request.r#type))
    })?;
    let new = new_address(&auth, kind, &request)?;
    let asked = request.redirect_to.as_deref().or(query.redirect_to.as_deref()).filter(|asked| !asked.is_empty());
    let redirect_to = redirect::allowed(&auth.options, asked);
    let password = sign_up_password(&auth, kind, &request).await?;
    let mut tx = auth.begin().await?;
    let found = users::by_email(&mut tx, &email).await?;
    let user = match (found, kind) {
        (None, LinkKind::MagicLink) => {
            kind = LinkKind::SignUp;
            add(&mut tx, &email, None, request.data).await?
        }
        (None, LinkKind::SignUp | LinkKind::Invite) => add(&mut tx, &email, password, request.data).await?,
        (None, _) => return Err(AuthError::new(404, "user_not_found", "User with this email not found")),
        (Some(user), LinkKind::Invite) => unconfirmed(&mut tx, user, None, Some(String::new())).await?,
        (Some(user), LinkKind::SignUp) => unconfirmed(&mut tx, user, request.data, password).await?,
        (Some(user), _) => user,
    };
    if let Some(new) = &new {
        check_free(&mut tx, new, &user).await?;
    }
    let link = letters::link(&auth, &mut tx, &user, kind, new.as_deref(), redirect_to).await?;
    let answer = with_link(json_of(&mut tx, user.id).await?, &link);
    let details = json!({ "type": link.verification_type });
    commit(tx, &admin, &request_id, LINK_GENERATED, ("user", user.id), details).await?;
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Invites somebody by a letter.
#[utoipa::path(
    post,
    path = "/auth/v1/invite",
    operation_id = "invite",
    tag = "Auth",
    params(RedirectQuery),
    request_body = InviteRequest,
    responses(
        (status = 200, description = "The user", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn invite(
    State(auth): State<Auth>,
    admin: Admin,
    RequestId(request_id): RequestId,
    query: Result<Query<RedirectQuery>, ApiError>,
    Body(request): Body<InviteRequest>,
) -> Result<Json<Value>, AuthError> {
    let Query(query) = query?;
    let email = address::parse(&request.email)?;
    let asked = query.redirect_to.as_deref().filter(|asked| !asked.is_empty());
    let redirect_to = redirect::allowed(&auth.options, asked);
    let mut tx = auth.begin().await?;
    letters::count(&auth, &mut tx, By::Admin, &email).await?;
    let user = match users::by_email(&mut tx, &email).await? {
        None => add(&mut tx, &email, None, request.data).await?,
        Some(user) => unconfirmed(&mut tx, user, None, Some(String::new())).await?,
    };
    let letter = letters::write(&auth, &mut tx, &user, LinkKind::Invite, redirect_to, None).await?;
    let answer = json_of(&mut tx, user.id).await?;
    let commit = async move { commit(tx, &admin, &request_id, USER_INVITED, ("user", user.id), json!({})).await };
    letter.commit_by(&auth, commit).await?;
    Ok(Json(answer))
}

/// The new address of a change, and nothing for other links.
fn new_address(auth: &Auth, kind: LinkKind, request: &LinkRequest) -> Result<Option<String>, AuthError> {
    match kind {
        LinkKind::EmailChangeCurrent if !auth.options.confirm_both_addresses => {
            Err(AuthError::validation("Enable secure email change to generate link for current email"))
        }
        LinkKind::EmailChangeCurrent | LinkKind::EmailChangeNew => {
            address::parse(request.new_email.as_deref().unwrap_or_default()).map(Some)
        }
        _ => Ok(None),
    }
}

/// The hash of a new user's password.
async fn sign_up_password(auth: &Auth, kind: LinkKind, request: &LinkRequest) -> Result<Option<String>, AuthError> {
    if kind != LinkKind::SignUp {
        return Ok(None);
    }
    let Some(password) = request.password.as_deref().filter(|password| !password.is_empty()) else {
        return Err(AuthError::validation("Signup requires a valid password"));
    };
    auth.check_new_password(password, &[])?;
    Ok(Some(auth.hasher.hash(password).await?))
}

async fn add(
    tx: &mut AuthTx,
    email: &str,
    password: Option<String>,
    data: Option<Map<String, Value>>,
) -> Result<User, AuthError> {
    let user_metadata = merged(None, data.unwrap_or_default());
    check_metadata(&user_metadata)?;
    let new = NewUser {
        email: Some(email.to_owned()),
        password,
        app_metadata: json!({ "provider": "email", "providers": ["email"] }),
        user_metadata,
        role: Some(USER_ROLE.to_owned()),
        ..NewUser::default()
    };
    let user = users::add(tx, &new).await?;
    managed_users::put_identity(tx, user.id, "email", email, false).await?;
    Ok(user)
}

/// A user who has the address and did not confirm it yet. A stranger may have signed up with it, so an invitation takes away the
/// password that was set then: whoever is invited must not share the account.
async fn unconfirmed(
    tx: &mut AuthTx,
    user: User,
    data: Option<Map<String, Value>>,
    password: Option<String>,
) -> Result<User, AuthError> {
    if user.email_confirmed_at.is_some() {
        return Err(managed_users::email_taken());
    }
    let user_metadata = data.map(|data| merged(user.raw_user_meta_data.as_ref(), data));
    user_metadata.as_ref().map(check_metadata).transpose()?;
    managed_users::change(tx, user.id, &Change { password, user_metadata, ..Change::default() }).await?;
    Ok(user)
}

async fn check_free(tx: &mut AuthTx, address: &str, user: &User) -> Result<(), AuthError> {
    match users::by_email(tx, address).await? {
        Some(other) if other.id != user.id => Err(managed_users::email_taken()),
        _ => Ok(()),
    }
}

fn with_link(mut user: Value, link: &Link) -> Value {
    user["action_link"] = json!(link.action_link);
    user["email_otp"] = json!(link.email_otp);
    user["hashed_token"] = json!(link.hashed_token);
    user["verification_type"] = json!(link.verification_type);
    user["redirect_to"] = json!(link.redirect_to);
    user
}
