//! The signed-in user: reading.

use axum::Json;
use axum::extract::State;
use behalf_web::{Routes, routes};
use serde_json::Value;

use crate::error::{AuthError, AuthProblem};
use crate::signed_in::SignedIn;
use crate::state::Auth;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(show))
}

/// The signed-in user.
#[utoipa::path(
    get, path = "/auth/v1/user", tag = "Auth", operation_id = "show_user",
    responses(
        (status = 200, description = "The user", body = Object),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
async fn show(State(auth): State<Auth>, caller: SignedIn) -> Result<Json<Value>, AuthError> {
    let mut tx = auth.begin().await?;
    let user = auth.user_json(&mut tx, caller.user).await?;
    tx.commit().await?;
    Ok(Json(user))
}
