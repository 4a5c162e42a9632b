//! Settings that clients read, health, and the key set.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_web::{ApiError, Routes, routes};
use http::header::CACHE_CONTROL;
use serde_json::{Map, Value, json};

use crate::error::AuthError;
use crate::state::Auth;

/// The providers that clients look for, whether or not they are set up.
const KNOWN: [&str; 25] = [
    "apple",
    "azure",
    "bitbucket",
    "discord",
    "facebook",
    "figma",
    "fly",
    "github",
    "gitlab",
    "google",
    "kakao",
    "keycloak",
    "linkedin",
    "linkedin_oidc",
    "notion",
    "slack",
    "slack_oidc",
    "snapchat",
    "spotify",
    "twitch",
    "twitter",
    "workos",
    "x",
    "zoom",
    "phone",
];

pub(super) fn routes() -> Routes<Auth> {
    Routes::new().routes(routes!(settings)).routes(routes!(health)).routes(routes!(key_set))
}

/// How users can sign in and up.
#[utoipa::path(
    get, path = "/auth/v1/settings", tag = "Auth", operation_id = "auth_settings", security(()),
    responses((status = 200, description = "The settings", body = Object))
)]
async fn settings(State(auth): State<Auth>) -> Json<Value> {
    let options = &auth.options;
    let mut external: Map<String, Value> = KNOWN.iter().map(|name| ((*name).to_owned(), Value::Bool(false))).collect();
    external.extend(options.providers.keys().map(|name| (name.clone(), Value::Bool(true))));
    external.insert("email".to_owned(), Value::Bool(true));
    external.insert("anonymous_users".to_owned(), Value::Bool(options.anonymous));
    Json(json!({
        "external": external,
        "disable_signup": !options.sign_up,
        "mailer_autoconfirm": options.auto_confirm,
        "phone_autoconfirm": false,
        "sms_provider": "",
        "saml_enabled": false,
        "mfa_enabled": options.max_factors > 0,
    }))
}

/// Whether sign-in works: the database has to answer.
#[utoipa::path(
    get, path = "/auth/v1/health", tag = "Auth", operation_id = "auth_health", security(()),
    responses((status = 200, description = "It works", body = Object))
)]
async fn health(State(auth): State<Auth>) -> Result<Json<Value>, AuthError> {
    if !auth.db.answers().await {
        return Err(ApiError::unavailable("the database does not answer").into());
    }
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": "Behalf",
        "description": "Users and sign-in over HTTP, as GoTrue offers them",
    })))
}

/// The public keys that verify access tokens, as a JWK set.
#[utoipa::path(
    get, path = "/auth/v1/.well-known/jwks.json", tag = "Auth", operation_id = "auth_keys", security(()),
    responses((status = 200, description = "The key set; empty where a secret signs", body = Object))
)]
async fn key_set(State(auth): State<Auth>) -> Response {
    // No longer than a key is published before it signs.
    ([(CACHE_CONTROL, "public, max-age=60")], Json(auth.signer.key_set())).into_response()
}
