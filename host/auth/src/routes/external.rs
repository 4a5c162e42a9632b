//! External sign-in: the way to a provider and back.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use behalf_web::{ApiError, Json, Routes, routes};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use crate::client::Client;
use crate::error::{AuthError, AuthProblem};
use crate::external::{self, linking_disabled};
use crate::signed_in::SignedIn;
use crate::state::Auth;

/// The most parameters that are read.
const MAX_PARAMETERS: usize = 60;

/// Largest form of a provider.
const MAX_FORM_BYTES: usize = 64 * 1024;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(authorize)).routes(routes!(callback, callback_form)).routes(routes!(link))
}

/// Where the user signs in.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderPage {
    /// The provider's page.
    url: String,
}

/// Begins a sign-in at a provider. With a challenge it ends with a code in the app's address; without, with the session itself,
/// and only in the browser that sent this request.
#[utoipa::path(
    get, path = "/auth/v1/authorize", tag = "Auth", operation_id = "auth_authorize", security(()),
    params(("query" = HashMap<String, String>, Query, style = Form, explode,
        description = "`provider`; `redirect_to`, where it leads in the end; `scopes`; `code_challenge` and \
            `code_challenge_method` (`s256` or `plain`). Others, such as `prompt`, are passed on to the provider.")),
    responses((status = 302, description = "To the provider"), (status = "default", description = "The request failed", body = AuthProblem))
)]
async fn authorize(State(auth): State<Auth>, parts: Parts) -> Result<Response, AuthError> {
    auth.web.limits.count_stranger(&parts).map_err(ApiError::from)?;
    let parameters = parameters(&parts.uri);
    Ok(external::begin(&auth, &parts.headers, &parameters, None).await?.lead())
}

/// Where a provider sends the user back: leads to the app with a code, with the session, or with `error`, `error_code` and
/// `error_description`.
#[utoipa::path(
    get, path = "/auth/v1/callback", tag = "Auth", operation_id = "auth_callback", security(()),
    params(("query" = HashMap<String, String>, Query, style = Form, explode,
        description = "The provider's answer: `state`, and `code` or `error`.")),
    responses((status = 302, description = "To the app"), (status = 303, description = "To the app, because the state is unknown"),
        (status = "default", description = "The request failed", body = AuthProblem))
)]
async fn callback(State(auth): State<Auth>, client: Client, parts: Parts) -> Result<Response, AuthError> {
    auth.web.limits.count_stranger(&parts).map_err(ApiError::from)?;
    Ok(external::end(&auth, &parts.headers, &first_of_each(parameters(&parts.uri)), &client).await)
}

/// The same for providers whose page sends a form, as Apple's does.
#[utoipa::path(
    post, path = "/auth/v1/callback", tag = "Auth", operation_id = "auth_callback_form", security(()),
    request_body(content = HashMap<String, String>, content_type = "application/x-www-form-urlencoded",
        description = "The provider's answer: `state`, and `code` or `error`."),
    responses((status = 302, description = "To the app"), (status = 303, description = "To the app, because the state is unknown"),
        (status = "default", description = "The request failed", body = AuthProblem))
)]
async fn callback_form(
    State(auth): State<Auth>,
    client: Client,
    parts: Parts,
    body: Bytes,
) -> Result<Response, AuthError> {
    auth.web.limits.count_stranger(&parts).map_err(ApiError::from)?;
    if !is_form(&parts.headers) || body.len() > MAX_FORM_BYTES {
        return Err(AuthError::validation("send a form with `Content-Type: application/x-www-form-urlencoded`"));
    }
    Ok(external::end(&auth, &parts.headers, &first_of_each(read(&body)), &client).await)
}

/// Links a provider's user to the signed-in one, where an operator allows it. With `skip_http_redirect=true` it answers with the
/// provider's page instead of leading there.
#[utoipa::path(
    get, path = "/auth/v1/user/identities/authorize", tag = "Auth", operation_id = "auth_link_identity",
    params(("query" = HashMap<String, String>, Query, style = Form, explode,
        description = "As for `/auth/v1/authorize`, and `skip_http_redirect`.")),
    responses((status = 200, description = "The provider's page", body = ProviderPage), (status = 302, description = "To the provider"),
        (status = "default", description = "The request failed", body = AuthProblem))
)]
async fn link(State(auth): State<Auth>, caller: SignedIn, parts: Parts) -> Result<Response, AuthError> {
    if !auth.options.manual_linking {
        return Err(linking_disabled());
    }
    let parameters = parameters(&parts.uri);
    let begun = external::begin(&auth, &parts.headers, &parameters, Some(caller.user)).await?;
    if parameters.iter().any(|(name, value)| name == "skip_http_redirect" && value == "true") {
        return Ok(Json(ProviderPage { url: begun.page.into() }).into_response());
    }
    Ok(begun.lead())
}

fn parameters(uri: &Uri) -> Vec<(String, String)> {
    read(uri.query().unwrap_or_default().as_bytes())
}

/// Reads parameters. One with a NUL character cannot be stored and means nothing.
fn read(text: &[u8]) -> Vec<(String, String)> {
    let all = url::form_urlencoded::parse(text).into_owned().take(MAX_PARAMETERS);
    all.filter(|(name, value)| !name.contains('\0') && !value.contains('\0')).collect()
}

fn first_of_each(parameters: Vec<(String, String)>) -> HashMap<String, String> {
    let mut all = HashMap::new();
    for (name, value) in parameters {
        all.entry(name).or_insert(value);
    }
    all
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
