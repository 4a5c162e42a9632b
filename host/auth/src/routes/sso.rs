//! Sign-in with SAML is not offered. Clients know the answer of a server on which it is switched off.

use behalf_web::{Routes, routes};
use http::StatusCode;

use crate::error::{AuthError, AuthProblem};
use crate::state::Auth;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(sso))
}

/// Would begin a sign-in with SAML; this host has none.
#[utoipa::path(
    post, path = "/auth/v1/sso", tag = "Auth", operation_id = "sign_in_with_saml",
    responses((status = 404, description = "SAML is not offered", body = AuthProblem))
)]
async fn sso() -> Result<StatusCode, AuthError> {
    Err(AuthError::new(404, "saml_provider_disabled", "SAML 2.0 is disabled"))
}
