//! The routes under `/realtime/v1`.

mod broadcast;
mod websocket;

use std::future::ready;

use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse;
use behalf_web::Routes;
use http::StatusCode;

use crate::error::RealtimeError;
use crate::state::Realtime;

/// Bytes of a body beside the message in it.
const BODY_OVERHEAD: usize = 64 * 1024;
/// Bytes of a body that are always taken: several messages may be in one.
const MIN_BODY: usize = 2 * 1024 * 1024;

/// The routes of the feature.
pub fn routes(realtime: Realtime) -> Routes {
    let body = realtime.options.max_message_bytes.saturating_add(BODY_OVERHEAD).max(MIN_BODY);
    Routes::new()
        .merge(broadcast::routes().layer(DefaultBodyLimit::max(body)))
        .merge(websocket::routes())
        .with_state(realtime)
}

/// The routes where `/realtime/v1` is not served here; `there` is the address where it is.
pub fn elsewhere(there: Option<&str>) -> Routes {
    let message = match there {
        Some(there) => format!("this host does not serve /realtime/v1; it is at {there}"),
        None => "this host does not serve /realtime/v1".to_owned(),
    };
    let answer = move || ready(RealtimeError::new(StatusCode::NOT_FOUND, &message).into_response());
    Routes::new()
        .route("/realtime/v1", axum::routing::any(answer.clone()))
        .route("/realtime/v1/", axum::routing::any(answer.clone()))
        .route("/realtime/v1/{*rest}", axum::routing::any(answer))
}
