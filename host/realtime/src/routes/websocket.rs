//! Opens websockets.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use behalf_identity::{CallerKey, Principal};
use behalf_problem::Kind;
use behalf_telemetry::metric;
use behalf_web::{ApiError, ProblemDocument, Routes, header, routes as group};
use http::header::{
    AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde::Deserialize;

use crate::limits::NoPlace;
use crate::protocol::Version;
use crate::socket::{Opened, serve};
use crate::state::Realtime;

/// What servers add to a client's key (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The routes.
pub(super) fn routes() -> Routes<Realtime> {
    Routes::new().routes(group!(websocket)).route("/realtime/v1/websocket/", axum::routing::get(websocket))
}

/// What the address says.
#[derive(Debug, Deserialize)]
struct Asked {
    apikey: Option<String>,
    vsn: Option<String>,
}

/// Opens a websocket. Its protocol is Phoenix' channels in the version `vsn`, 1.0.0 or 2.0.0; docs/realtime.md says what
/// messages there are.
#[utoipa::path(
    get, path = "/realtime/v1/websocket", tag = "Channels", operation_id = "realtime_websocket",
    params(("query" = HashMap<String, String>, Query, style = Form, explode,
        description = "`apikey`: the anon key, the service key or a user's token. `vsn`: the version of the protocol, 1.0.0 where it is missing. Others are ignored.")),
    responses((status = 101, description = "The socket is open"),
        (status = "4XX", description = "Why not", body = ProblemDocument),
        (status = "5XX", description = "The host stops, or has as many sockets as it may", body = ProblemDocument))
)]
async fn websocket(State(realtime): State<Realtime>, request: Request) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    let asked = Query::<Asked>::try_from_uri(&parts.uri);
    let Query(asked) = asked.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let (token, principal) = caller(&realtime, &mut parts, asked.apikey).await?;
    let version = Version::of(asked.vsn.as_deref())
        .ok_or_else(|| ApiError::bad_request("vsn must be 1.0.0 or 2.0.0; other versions are not spoken here"))?;
    let (accept, upgrade) = handshake(&mut parts)?;
    if realtime.sockets.is_closed() {
        return Err(refused("stopping", ApiError::unavailable("the server restarts; connect again")));
    }
    let client = realtime.web.limits.client(&parts);
    let share = realtime.limits.share(CallerKey::new(&principal, Some(client)), &principal);
    let place = realtime.limits.socket(&share).map_err(|no_place| match no_place {
        NoPlace::Caller => refused(
            "sockets_user",
            ApiError::new(Kind::TooManyRequests, "Too many connected users: too many sockets of this caller"),
        ),
        NoPlace::Host => refused("sockets", ApiError::new(Kind::Busy, "Too many connected users")),
    })?;
    let opened = Opened { version, token, principal, client, share };
    let tasks = realtime.tasks.clone();
    tasks.spawn(async move {
        // Where the connection breaks before it is one of websockets, nobody is there.
        if let Ok(upgraded) = upgrade.await {
            serve(TokioIo::new(upgraded), realtime, opened).await;
        }
        drop(place);
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

fn refused(reason: &'static str, error: ApiError) -> ApiError {
    metric::realtime_refused(reason);
    error
}

/// Verifies the token of the address, or else that of the headers, as every route does.
async fn caller(
    realtime: &Realtime,
    parts: &mut Parts,
    apikey: Option<String>,
) -> Result<(Arc<str>, Arc<Principal>), ApiError> {
    if parts.headers.contains_key("x-behalf-act-as") {
        return Err(ApiError::bad_request("a socket acts for nobody else: connect with the user's own token"));
    }
    let sent = match apikey.filter(|key| !key.is_empty()) {
        Some(key) => Some(key),
        None => of_headers(&parts.headers)?,
    };
    let Some(token) = sent.map(|token| token.trim().to_owned()) else {
        realtime.web.limits.count_stranger(parts)?;
        return Err(ApiError::new(Kind::Unauthorized, "API key is missing"));
    };
    let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
    let bearer = bearer.map_err(|_| ApiError::new(Kind::Unauthorized, "The token provided is not a valid JWT"))?;
    parts.headers.remove("apikey");
    parts.headers.insert(AUTHORIZATION, bearer);
    let principal = realtime.web.authenticate(parts).await?;
    if principal.delegation().is_some() {
        return Err(ApiError::forbidden("a delegation may not join channels"));
    }
    Ok((token.into(), principal))
}

fn of_headers(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let bearer = header(headers, AUTHORIZATION.as_str())?
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    let key = match header(headers, "x-api-key")? {
        Some(key) => Some(key),
        None => bearer.or(header(headers, "apikey")?),
    };
    Ok(key.map(str::to_owned))
}

/// What a client proves that it speaks the protocol of websockets with, and the connection once it is one of them.
fn handshake(parts: &mut Parts) -> Result<(HeaderValue, OnUpgrade), ApiError> {
    let has = |name: HeaderName, word: &str| {
        let values = parts.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let speaks = has(CONNECTION, "upgrade") && has(UPGRADE, "websocket") && has(SEC_WEBSOCKET_VERSION, "13");
    let key = parts.headers.get(SEC_WEBSOCKET_KEY).filter(|_| speaks).cloned();
    let (Some(key), Some(upgrade)) = (key, parts.extensions.remove::<OnUpgrade>()) else {
        return Err(ApiError::bad_request(
            "this endpoint speaks the protocol of websockets, version 13, over HTTP/1.1",
        ));
    };
    let proof = [key.as_bytes(), GUID.as_bytes()].concat();
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &proof));
    let accept = HeaderValue::from_str(&accept).map_err(ApiError::internal)?;
    Ok((accept, upgrade))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_the_one_of_the_standard() {
        let request = http::Request::builder()
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        assert!(handshake(&mut parts).is_err(), "this connection cannot become another one");
        let proof = [b"dGhlIHNhbXBsZSBub25jZQ==", GUID.as_bytes()].concat();
        assert_eq!(STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &proof)), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
