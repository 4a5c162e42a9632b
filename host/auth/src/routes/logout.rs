//! Signing out.

use axum::extract::State;
use behalf_web::{ApiError, Query, Routes, routes};
use http::StatusCode;
use serde::Deserialize;

use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::session::Which;
use crate::signed_in::SignedIn;
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::users;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(logout))
}

#[derive(Debug, Deserialize)]
struct Scope {
    #[serde(default)]
    scope: String,
}

/// Ends sessions of the user. Their access tokens are refused by every host within a second.
#[utoipa::path(
    post, path = "/auth/v1/logout", tag = "Auth", operation_id = "sign_out",
    params(("scope" = Option<String>, Query, description = "`global` for all sessions, `local` for this one, `others` for all but this one")),
    responses(
        (status = 204, description = "They ended"),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
async fn logout(
    State(auth): State<Auth>,
    client: Client,
    scope: Result<Query<Scope>, ApiError>,
    caller: SignedIn,
) -> Result<StatusCode, AuthError> {
    let Query(scope) = scope?;
    let which = match (scope.scope.as_str(), caller.session) {
        ("" | "global", _) | ("local" | "others", None) => Which::All,
        ("local", Some(session)) => Which::One(session),
        ("others", Some(session)) => Which::AllBut(session),
        _ => return Err(AuthError::validation("Unsupported logout scope")),
    };
    let mut tx = auth.begin().await?;
    // The user's row comes before the sessions, as wherever several of them end.
    let user = users::by_id(&mut tx, caller.user).await?;
    if let Some(user) = &user {
        audit_entries::add(&mut tx, user, Entry::SignedOut, Some(&client), None).await?;
    }
    auth.end_sessions(&mut tx, caller.user, which).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
