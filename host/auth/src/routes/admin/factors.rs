//! Second factors of a user, for the service role.

use axum::extract::State;
use behalf_host_db::{AuditAction, AuthTx};
use behalf_web::{Json, Path, RequestId};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{commit, user_of};
use crate::body::Body;
use crate::error::{AuthError, AuthProblem};
use crate::signed_in::Admin;
use crate::state::Auth;
use crate::store::factors;
use crate::user::{Factor, User};

const FACTOR_CHANGED: AuditAction = AuditAction::new("factor.changed");
const FACTOR_DELETED: AuditAction = AuditAction::new("factor.deleted");

/// What changes of a factor.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AdminFactor)]
pub(crate) struct FactorRequest {
    /// Its new name.
    #[schema(max_length = 255)]
    friendly_name: Option<String>,
}

/// Lists the second factors of a user.
#[utoipa::path(
    get,
    path = "/auth/v1/admin/users/{user_id}/factors",
    operation_id = "admin_list_factors",
    tag = "Auth",
    params(("user_id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "The factors", body = Vec<Object>),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn list(
    State(auth): State<Auth>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Json<Value>, AuthError> {
    let mut tx = auth.begin().await?;
    let user = user_of(&mut tx, &id).await?;
    let factors = factors::of_user(&mut tx, user.id).await?;
    tx.commit().await?;
    Ok(Json(factors.iter().map(Factor::to_json).collect()))
}

/// Renames a second factor of a user.
#[utoipa::path(
    put,
    path = "/auth/v1/admin/users/{user_id}/factors/{factor_id}",
    operation_id = "admin_change_factor",
    tag = "Auth",
    params(
        ("user_id" = String, Path, description = "The user's id"),
        ("factor_id" = String, Path, description = "The factor's id"),
    ),
    request_body = FactorRequest,
    responses(
        (status = 200, description = "The factor", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn update(
    State(auth): State<Auth>,
    admin: Admin,
    RequestId(request_id): RequestId,
    Path((user, factor)): Path<(String, String)>,
    Body(request): Body<FactorRequest>,
) -> Result<Json<Value>, AuthError> {
    let mut tx = auth.begin().await?;
    let (user, mut factor) = factor_of(&mut tx, &user, &factor).await?;
    if let Some(name) = request.friendly_name.filter(|name| !name.is_empty()) {
        if name.chars().count() > 255 {
            return Err(AuthError::validation("friendly_name may have at most 255 characters"));
        }
        factor = factors::rename(&mut tx, factor.id, &name).await?;
    }
    commit(tx, &admin, &request_id, FACTOR_CHANGED, ("factor", factor.id), json!({ "user_id": user.id })).await?;
    Ok(Json(factor.to_json()))
}

/// Deletes a second factor of a user who lost it. Sessions that it raised are at the first level again.
#[utoipa::path(
    delete,
    path = "/auth/v1/admin/users/{user_id}/factors/{factor_id}",
    operation_id = "admin_delete_factor",
    tag = "Auth",
    params(
        ("user_id" = String, Path, description = "The user's id"),
        ("factor_id" = String, Path, description = "The factor's id"),
    ),
    responses(
        (status = 200, description = "The deleted factor", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn delete(
    State(auth): State<Auth>,
    admin: Admin,
    RequestId(request_id): RequestId,
    Path((user, factor)): Path<(String, String)>,
) -> Result<Json<Value>, AuthError> {
    let mut tx = auth.begin().await?;
    let (user, factor) = factor_of(&mut tx, &user, &factor).await?;
    factors::remove(&mut tx, &factor).await?;
    let details = json!({ "user_id": user.id, "factor_type": factor.factor_type, "status": factor.status });
    commit(tx, &admin, &request_id, FACTOR_DELETED, ("factor", factor.id), details).await?;
    Ok(Json(factor.to_json()))
}

async fn factor_of(tx: &mut AuthTx, user: &str, factor: &str) -> Result<(User, Factor), AuthError> {
    let user = user_of(tx, user).await?;
    let id =
        Uuid::try_parse(factor).map_err(|_| AuthError::new(404, "validation_failed", "factor_id must be an UUID"))?;
    let missing = || AuthError::new(404, "mfa_factor_not_found", "Factor not found");
    let factor = factors::find(tx, user.id, id).await?.ok_or_else(missing)?;
    Ok((user, factor))
}
