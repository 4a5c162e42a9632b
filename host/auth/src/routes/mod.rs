//! The routes under `/auth/v1`, a file for each resource.

mod admin;
mod asked;
mod codes;
mod external;
mod factors;
mod grants;
mod identities;
mod landing;
mod logout;
mod redirect_to;
mod settings;
mod signup;
mod sso;
mod user;
mod user_update;
mod verify;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use behalf_web::Routes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use crate::error::{API_VERSION, AuthError, api_version};
use crate::state::Auth;

/// The routes of the feature.
pub fn routes(auth: Auth) -> Routes {
    Routes::new()
        .merge(admin::routes())
        .merge(codes::routes())
        .merge(external::routes())
        .merge(factors::routes())
        .merge(grants::routes())
        .merge(identities::routes())
        .merge(logout::routes())
        .merge(settings::routes())
        .merge(signup::routes())
        .merge(sso::routes())
        .merge(user::routes())
        .merge(user_update::routes())
        .merge(verify::routes())
        .layer(from_fn(write_errors))
        .with_state(auth)
}

/// The routes where `/auth/v1` is not served here; `there` is the address where it is.
pub fn elsewhere(there: Option<&str>) -> Routes {
    let message = match there {
        Some(there) => format!("this host does not serve /auth/v1; it is at {there}"),
        None => "this host does not serve /auth/v1".to_owned(),
    };
    let answer = move || std::future::ready(AuthError::new(404, "not_found", message.clone()).into_response());
    Routes::new()
        .route("/auth/v1", axum::routing::any(answer.clone()))
        .route("/auth/v1/", axum::routing::any(answer.clone()))
        .route("/auth/v1/{*rest}", axum::routing::any(answer))
        .layer(from_fn(write_errors))
}

/// Writes the body of a failure in the form that the client reads.
async fn write_errors(request: Request, next: Next) -> Response {
    let version = api_version(request.headers()).map(str::to_owned);
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<AuthError>() {
        *response.body_mut() = Body::from(error.body(version.as_deref()).to_string());
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(API_VERSION, HeaderValue::from_static("2024-01-01"));
    }
    response
}
