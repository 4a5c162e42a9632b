use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::ApiError;
use super::state::AppState;
use crate::db::AuditAction;
use crate::identity::{Principal, VerifyError};

/// Who makes the request. A handler that takes it cannot forget to ask. Delegated callers are refused: what they may do
/// is what takes [`super::input::Delegable`], and nothing else.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) Arc<Principal>);

/// The service role in its own name. A handler that takes it is closed to everybody else.
#[derive(Clone, Debug)]
pub(super) struct ServiceCaller(pub(super) Arc<Principal>);

/// The id of the request, in every answer as `x-request-id`.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// JSON in and out, with our shape of errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<T>(pub(super) T);

/// Parts of the path, with our shape of errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<T>(pub(super) T);

/// Query parameters, with our shape of errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<T>(pub(super) T);

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let principal = authenticate(parts, state).await?;
        if principal.delegation().is_some() {
            return Err(ApiError::Forbidden(
                "a delegation may run its agent and follow the runs it started, nothing else".to_owned(),
            ));
        }
        Ok(Self(principal))
    }
}

/// Who makes the request, delegated callers included.
pub(super) async fn authenticate(parts: &mut Parts, state: &AppState) -> Result<Arc<Principal>, ApiError> {
    let key = header(&parts.headers, "apikey")?;
    if let Some(key) = key {
        state.verifier.check_api_key(key)?;
    }
    let bearer = match header(&parts.headers, AUTHORIZATION.as_str())? {
        Some(value) => Some(bearer_token(value).ok_or(VerifyError::Invalid("send it as `Authorization: Bearer …`"))?),
        None => None,
    };
    let token = bearer.or(key).ok_or(VerifyError::Missing)?;
    let principal = match state.verifier.verify(token).await {
        Ok(principal) => principal,
        Err(error) => {
            // Whoever guesses tokens is slowed down by address.
            state.limits.count_stranger(parts)?;
            return Err(error.into());
        }
    };
    state.limits.count(&principal, parts)?;
    let Some(user) = header(&parts.headers, "x-behalf-act-as")? else {
        if principal.delegation().is_some() {
            let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.as_str());
            state.db.note_acting(&principal, AuditAction::DelegationUsed, request_id, &route(parts)).await?;
        }
        return Ok(principal);
    };
    let user =
        Uuid::try_parse(user).map_err(|_| ApiError::BadRequest("X-Behalf-Act-As must be a user's uuid".to_owned()));
    // Who may not act for others learns that first, whatever the header holds.
    if !principal.is_service() {
        principal.act_as(Uuid::nil())?;
    }
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
    let acting = state.acting_for(&principal, user?, request_id.as_deref(), &route(parts)).await?;
    Ok(Arc::new(acting))
}

/// The route as the audit trail names it: its pattern, which holds no ids.
fn route(parts: &Parts) -> String {
    let path = parts.extensions.get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    format!("{} {path}", parts.method)
}

impl FromRequestParts<AppState> for ServiceCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Caller(principal) = Caller::from_request_parts(parts, state).await?;
        if !principal.is_service() {
            return Err(ApiError::Forbidden("This endpoint requires the project's service role key".to_owned()));
        }
        Ok(Self(principal))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

/// One header's text; sent twice it is refused, as nobody can say which one counts.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::BadRequest(format!("the header {name} was sent twice")));
    }
    first.to_str().map(Some).map_err(|_| ApiError::BadRequest(format!("the header {name} is not plain text")))
}

fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::BytesRejection(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::TooLarge("the body is too large".to_owned()))
            }
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::BadRequest("send JSON with `Content-Type: application/json`".to_owned()))
            }
            Err(rejection) => Err(ApiError::BadRequest(rejection.body_text())),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection: PathRejection| ApiError::BadRequest(rejection.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection: QueryRejection| ApiError::BadRequest(rejection.body_text()))
    }
}
