//! The layer that lets pages of other origins call. It answers questions of browsers before a request, and leaves questions of
//! programs to the routes.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use futures::future::BoxFuture;
use http::Method;
use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use tower::{Layer, Service, ServiceExt as _};
use tower_http::cors::{Cors, CorsLayer};

/// Where a route may have an answer to OPTIONS of its own.
const OWN_OPTIONS: [&str; 2] = ["/rest/v1", "/storage/v1/upload/resumable"];

/// Answers questions of browsers.
#[derive(Clone, Debug)]
pub(crate) struct CrossOrigin(pub(crate) CorsLayer);

/// A service that pages of other origins may call.
#[derive(Clone, Debug)]
pub(crate) struct CalledCrossOrigin<S> {
    asked: Cors<S>,
    plain: S,
}

impl<S: Clone> Layer<S> for CrossOrigin {
    type Service = CalledCrossOrigin<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CalledCrossOrigin { asked: self.0.layer(inner.clone()), plain: inner }
    }
}

impl<S> Service<Request> for CalledCrossOrigin<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.asked, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let is_own = request.method() == Method::OPTIONS
            && !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && OWN_OPTIONS.iter().any(|path| request.uri().path().starts_with(path));
        if is_own {
            return Box::pin(self.plain.clone().oneshot(request));
        }
        Box::pin(self.asked.call(request))
    }
}
