//! Extractors for the caller, the path and the query. They report errors as [`ApiError`].

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRef, FromRequestParts};
use behalf_host_db::Act;
use behalf_identity::{Principal, Role, VerifyError};
use http::HeaderMap;
use http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::ApiError;
use crate::state::Web;

/// The caller of the request. A handler with this argument always runs with a verified caller. Delegated callers are
/// refused; only handlers with a [`Delegable`] accept them.
#[derive(Clone, Debug)]
pub struct Caller(pub Arc<Principal>);

/// The service role in its own name. A handler with this argument refuses all other callers.
#[derive(Clone, Debug)]
pub struct ServiceCaller(pub Arc<Principal>);

/// The service role in its own name, with the request's id: whoever changes what operators set up.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// The caller.
    pub principal: Arc<Principal>,
    request_id: Uuid,
}

impl Administrator {
    /// How the audit log names the change.
    pub fn act(&self) -> Act<'_> {
        Act::Request { principal: &self.principal, request_id: self.request_id }
    }
}

/// The id of the request, which every response contains as `x-request-id`.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The address that the request came from; none before its caller is known.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub Option<IpAddr>);

/// The parameters of the path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

/// The query parameters.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S> FromRequestParts<S> for Caller
where
    Web: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let principal = Web::from_ref(state).authenticate(parts).await?;
        if principal.delegation().is_some() {
            return Err(ApiError::forbidden(
                "a delegation may run its agent and follow the runs it started, nothing else",
            ));
        }
        Ok(Self(principal))
    }
}

impl<S> FromRequestParts<S> for ServiceCaller
where
    Web: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Caller(principal) = Caller::from_request_parts(parts, state).await?;
        if !principal.is_service() {
            return Err(ApiError::forbidden("This endpoint requires the project's service role key"));
        }
        Ok(Self(principal))
    }
}

impl<S> FromRequestParts<S> for Administrator
where
    Web: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ServiceCaller(principal) = ServiceCaller::from_request_parts(parts, state).await?;
        let request_id = parts.extensions.get::<RequestId>().and_then(|id| Uuid::try_parse(&id.0).ok());
        let request_id = request_id.unwrap_or_default();
        Ok(Self { principal, request_id })
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self(String::new())))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(None)))
    }
}

/// The text of one header. A header that was sent twice is refused, because either value could be the meant one.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::bad_request(format!("the header {name} was sent twice")));
    }
    first.to_str().map(Some).map_err(|_| ApiError::bad_request(format!("the header {name} is not plain text")))
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection: PathRejection| ApiError::bad_request(rejection.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection: QueryRejection| ApiError::bad_request(rejection.body_text()))
    }
}

/// A signed-in user, or the service role in its own or a user's name. Delegated callers are refused.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Arc<Principal>);

impl<S> FromRequestParts<S> for SignedIn
where
    Web: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Caller(principal) = Caller::from_request_parts(parts, state).await?;
        signed_in(principal).map(Self)
    }
}

/// A signed-in user, the service role, or a service that acts under a user's delegation. A handler with this argument
/// must give a delegation access only to its agent and, by row-level security, to the runs and sessions that it
/// started.
#[derive(Clone, Debug)]
pub struct Delegable(pub Arc<Principal>);

impl<S> FromRequestParts<S> for Delegable
where
    Web: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        signed_in(Web::from_ref(state).authenticate(parts).await?).map(Self)
    }
}

fn signed_in(principal: Arc<Principal>) -> Result<Arc<Principal>, ApiError> {
    if principal.role() == Role::Anon {
        return Err(VerifyError::Invalid("the anon key names no user; sign in and send the user's access token").into());
    }
    Ok(principal)
}
