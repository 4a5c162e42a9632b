//! The layer that answers what no handler answers: parameters that a route does not know, bodies that stalled, and panics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use behalf_problem::Kind;
use futures::FutureExt;
use futures::future::BoxFuture;
use tower::{Layer, Service};

use crate::error::{ApiError, StallRenderer};
use crate::parameters::Parameters;
use crate::serve::BodyState;

/// Refuses unknown parameters, says that a body stalled, and turns a panic into an answer.
#[derive(Clone, Debug)]
pub(crate) struct Guard(pub(crate) Parameters);

/// A service behind a [`Guard`].
#[derive(Clone, Debug)]
pub(crate) struct Guarded<S> {
    inner: S,
    parameters: Parameters,
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, parameters: self.0.clone() }
    }
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(error) = self.parameters.unknown(&request) {
            return Box::pin(std::future::ready(Ok(error.into_response())));
        }
        let body = request.extensions().get::<BodyState>().cloned();
        let answered = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            let Ok(response) = answered.await else {
                return Ok(ApiError::internal("a handler panicked").into_response());
            };
            let response = response?;
            // Whatever the handler made of half a body, its client hears that the rest did not come.
            if response.status().is_client_error() && body.is_some_and(|body| body.has_stalled()) {
                let detail = "the rest of the request's body did not arrive in time; send the request again";
                let error = ApiError::new(Kind::Deadline, detail);
                return Ok(match response.extensions().get::<StallRenderer>() {
                    Some(StallRenderer(render)) => render(error),
                    None => error.into_response(),
                });
            }
            Ok(response)
        })
    }
}
