//! One user, for the service role.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use behalf_host_db::{AuditAction, AuthTx};
use behalf_web::{Json, Path, RequestId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::request::{Checked, USER_ROLE, UserRequest, check_length};
use super::{commit, json_of, user_of};
use crate::body::Body;
use crate::error::{AuthError, AuthProblem};
use crate::session::Which;
use crate::signed_in::Admin;
use crate::state::Auth;
use crate::store::managed_users::{Ban, Change, merged};
use crate::store::users::NewUser;
use crate::store::{factors, managed_users, one_time_tokens, users};
use crate::user::{User, check_metadata};

const USER_CREATED: AuditAction = AuditAction::new("user.created");
const USER_CHANGED: AuditAction = AuditAction::new("user.changed");
const USER_DELETED: AuditAction = AuditAction::new("user.deleted");

/// How to delete a user.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = DeleteUser)]
pub(crate) struct DeleteRequest {
    /// Keep the row, so that rows of the app may go on to refer to it, but nothing that tells who it was.
    #[serde(default)]
    should_soft_delete: Option<bool>,
}

/// Makes a user.
#[utoipa::path(
    post,
    path = "/auth/v1/admin/users",
    operation_id = "admin_create_user",
    tag = "Auth",
    request_body = UserRequest,
    responses(
        (status = 200, description = "The user", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn create(
    State(auth): State<Auth>,
    admin: Admin,
    RequestId(request_id): RequestId,
    Body(request): Body<UserRequest>,
) -> Result<Json<Value>, AuthError> {
    let checked = request.check()?;
    let password = new_password(&auth, &request, &checked).await?;
    let mut tx = auth.begin().await?;
    let user = add(&mut tx, &request, &checked, password).await?;
    let answer = json_of(&mut tx, user.id).await?;
    let details = json!({ "fields": request.fields(), "before": null, "after": state_of(&answer) });
    commit(tx, &admin, &request_id, USER_CREATED, ("user", user.id), details).await?;
    Ok(Json(answer))
}

/// Shows a user.
#[utoipa::path(
    get,
    path = "/auth/v1/admin/users/{user_id}",
    operation_id = "admin_show_user",
    tag = "Auth",
    params(("user_id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "The user", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn show(
    State(auth): State<Auth>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Json<Value>, AuthError> {
    let mut tx = auth.begin().await?;
    let user = user_of(&mut tx, &id).await?;
    let answer = json_of(&mut tx, user.id).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

/// Changes a user. A ban and a new password end the user's sessions.
#[utoipa::path(
    put,
    path = "/auth/v1/admin/users/{user_id}",
    operation_id = "admin_change_user",
    tag = "Auth",
    params(("user_id" = String, Path, description = "The user's id")),
    request_body = UserRequest,
    responses(
        (status = 200, description = "The user", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn update(
    State(auth): State<Auth>,
    admin: Admin,
    RequestId(request_id): RequestId,
    Path(id): Path<String>,
    Body(request): Body<UserRequest>,
) -> Result<Json<Value>, AuthError> {
    let checked = request.check()?;
    if checked.password_hash.is_some() {
        return Err(AuthError::validation("password_hash is for new users; send the password"));
    }
    let password = match &request.password {
        Some(password) => {
            auth.check_new_password(password, &[])?;
            Some(auth.hasher.hash(password).await?)
        }
        None => None,
    };
    let mut tx = auth.begin().await?;
    let user = user_of(&mut tx, &id).await?;
    let before = json_of(&mut tx, user.id).await?;
    apply(&auth, &mut tx, &user, &request, &checked, password).await?;
    let answer = json_of(&mut tx, user.id).await?;
    let details = json!({ "fields": request.fields(), "before": state_of(&before), "after": state_of(&answer) });
    commit(tx, &admin, &request_id, USER_CHANGED, ("user", user.id), details).await?;
    Ok(Json(answer))
}

/// Deletes a user, and ends their sessions.
#[utoipa::path(
    delete,
    path = "/auth/v1/admin/users/{user_id}",
    operation_id = "admin_delete_user",
    tag = "Auth",
    params(("user_id" = String, Path, description = "The user's id")),
    request_body = Option<DeleteRequest>,
    responses(
        (status = 200, description = "Nothing more", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn delete(
    State(auth): State<Auth>,
    admin: Admin,
    RequestId(request_id): RequestId,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, AuthError> {
    let body = body.map_err(|error| AuthError::new(error.status().as_u16(), "validation_failed", error.body_text()))?;
    let request = if body.is_empty() { DeleteRequest::default() } else { Json::from_bytes(&body)?.0 };
    let soft = request.should_soft_delete.unwrap_or_default();
    let mut tx = auth.begin().await?;
    let user = user_of(&mut tx, &id).await?;
    let before = json_of(&mut tx, user.id).await?;
    auth.end_sessions(&mut tx, user.id, Which::All).await?;
    if !soft {
        managed_users::remove(&mut tx, user.id).await?;
    } else if user.deleted_at.is_none() {
        factors::remove_all(&mut tx, user.id).await?;
        managed_users::soft_remove(&mut tx, &user).await?;
    }
    let details = json!({ "soft": soft, "before": state_of(&before), "after": null });
    commit(tx, &admin, &request_id, USER_DELETED, ("user", user.id), details).await?;
    Ok(Json(json!({})))
}

async fn new_password(auth: &Auth, request: &UserRequest, checked: &Checked) -> Result<Option<String>, AuthError> {
    if let Some(hash) = &checked.password_hash {
        auth.hasher.expect(hash);
        return Ok(Some(hash.clone()));
    }
    let Some(password) = request.password.as_deref().filter(|password| !password.is_empty()) else { return Ok(None) };
    check_length(password)?;
    Ok(Some(auth.hasher.hash(password).await?))
}

async fn add(
    tx: &mut AuthTx,
    request: &UserRequest,
    checked: &Checked,
    password: Option<String>,
) -> Result<User, AuthError> {
    let providers: Vec<_> = [("email", &checked.email), ("phone", &checked.phone)]
        .into_iter()
        .filter_map(|(name, address)| address.is_some().then_some(name))
        .collect();
    let Some(first) = providers.first() else {
        return Err(AuthError::validation("Cannot create a user without either an email or phone"));
    };
    if request.id.is_some_and(|id| id.is_nil()) {
        return Err(AuthError::validation("ID cannot be a nil uuid"));
    }
    if let Some(id) = request.id
        && managed_users::find(tx, id).await?.is_some()
    {
        return Err(AuthError::new(422, "user_already_exists", "A user with this id has already been registered"));
    }
    let app = json!({ "provider": first, "providers": providers });
    let mut said = request.user_metadata.clone().unwrap_or_default();
    if request.email_confirm.unwrap_or_default() {
        said.insert("email_verified".to_owned(), json!(true));
    }
    let new = NewUser {
        id: request.id,
        email: checked.email.clone(),
        password,
        confirmed: checked.email.is_some() && request.email_confirm.unwrap_or_default(),
        app_metadata: merged(Some(&app), request.app_metadata.clone().unwrap_or_default()),
        user_metadata: merged(None, said),
        anonymous: false,
        role: Some(checked.role.clone().unwrap_or_else(|| USER_ROLE.to_owned())),
    };
    check_metadata(&new.app_metadata)?;
    check_metadata(&new.user_metadata)?;
    let user = users::add(tx, &new).await?;
    let change = Change {
        phone: checked.phone.clone(),
        confirm_phone: checked.phone.is_some() && request.phone_confirm.unwrap_or_default(),
        ban: checked.ban,
        ..Change::default()
    };
    managed_users::change(tx, user.id, &change).await?;
    put_identities(tx, user.id, request, checked).await?;
    Ok(user)
}

async fn put_identities(
    tx: &mut AuthTx,
    user: Uuid,
    request: &UserRequest,
    checked: &Checked,
) -> Result<(), AuthError> {
    if let Some(email) = &checked.email {
        managed_users::put_identity(tx, user, "email", email, request.email_confirm.unwrap_or_default()).await?;
    }
    if let Some(phone) = &checked.phone {
        managed_users::put_identity(tx, user, "phone", phone, request.phone_confirm.unwrap_or_default()).await?;
    }
    Ok(())
}

async fn apply(
    auth: &Auth,
    tx: &mut AuthTx,
    user: &User,
    request: &UserRequest,
    checked: &Checked,
    password: Option<String>,
) -> Result<(), AuthError> {
    let email_confirm = request.email_confirm.unwrap_or_default();
    let mut said = request.user_metadata.clone();
    if email_confirm {
        said.get_or_insert_with(Map::new).insert("email_verified".to_owned(), json!(true));
    }
    let change = Change {
        role: checked.role.clone(),
        email: checked.email.clone(),
        phone: checked.phone.clone(),
        password: password.clone(),
        confirm_email: email_confirm,
        confirm_phone: request.phone_confirm.unwrap_or_default(),
        app_metadata: request.app_metadata.clone().map(|change| merged(user.raw_app_meta_data.as_ref(), change)),
        user_metadata: said.map(|change| merged(user.raw_user_meta_data.as_ref(), change)),
        ban: checked.ban,
    };
    change.app_metadata.as_ref().map(check_metadata).transpose()?;
    change.user_metadata.as_ref().map(check_metadata).transpose()?;
    managed_users::change(tx, user.id, &change).await?;
    put_identities(tx, user.id, request, checked).await?;
    if checked.email.is_some() || password.is_some() || email_confirm {
        // What was sent to the old address, or before somebody lost trust in the old password, opens nothing any more.
        one_time_tokens::clear(tx, user.id).await?;
    }
    if password.is_some() || checked.ban.is_some_and(Ban::holds) {
        auth.end_sessions(tx, user.id, Which::All).await?;
    }
    Ok(())
}

/// What the audit log shows of a user: neither addresses nor metadata.
fn state_of(user: &Value) -> Value {
    let shown = ["role", "email_confirmed_at", "phone_confirmed_at", "banned_until", "deleted_at", "is_anonymous"];
    shown.into_iter().map(|name| (name.to_owned(), user[name].clone())).collect::<Map<_, _>>().into()
}
