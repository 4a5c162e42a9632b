use std::convert::Infallible;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;

use super::state::AppState;

/// A way into the host: one method of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method; what takes GET takes HEAD as well.
    pub method: Method,
    /// The path as it is declared, with names of its parts in braces: `/api/agents/{agent}`.
    pub path: &'static str,
}

/// Routes as they are declared. A router cannot say afterwards what it serves, so this writes it down on the way: the
/// golden matrix of routes and callers goes by that list, and a route that was declared in any other way has no place in
/// [`super::router`].
#[derive(Debug, Default)]
pub(super) struct Routes {
    router: Router<AppState>,
    declared: Vec<Route>,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn get<T: 'static>(self, path: &'static str, handler: impl Handler<T, AppState>) -> Self {
        self.on(Method::GET, path, on(MethodFilter::GET, handler))
    }

    pub(super) fn post<T: 'static>(self, path: &'static str, handler: impl Handler<T, AppState>) -> Self {
        self.on(Method::POST, path, on(MethodFilter::POST, handler))
    }

    pub(super) fn put<T: 'static>(self, path: &'static str, handler: impl Handler<T, AppState>) -> Self {
        self.on(Method::PUT, path, on(MethodFilter::PUT, handler))
    }

    pub(super) fn patch<T: 'static>(self, path: &'static str, handler: impl Handler<T, AppState>) -> Self {
        self.on(Method::PATCH, path, on(MethodFilter::PATCH, handler))
    }

    pub(super) fn delete<T: 'static>(self, path: &'static str, handler: impl Handler<T, AppState>) -> Self {
        self.on(Method::DELETE, path, on(MethodFilter::DELETE, handler))
    }

    /// What serves one method of a path, where it has layers of its own or is no plain handler.
    pub(super) fn on(
        mut self,
        method: Method,
        path: &'static str,
        service: MethodRouter<AppState, Infallible>,
    ) -> Self {
        self.declared.push(Route { method, path });
        Self { router: self.router.route(path, service), declared: self.declared }
    }

    /// These routes and those.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.declared.extend(other.declared);
        Self { router: self.router.merge(other.router), declared: self.declared }
    }

    /// What was declared, in order of paths.
    pub(super) fn declared(mut self) -> Vec<Route> {
        self.declared.sort_by(|a, b| (a.path, a.method.as_str()).cmp(&(b.path, b.method.as_str())));
        self.declared
    }

    pub(super) fn into_router(self) -> Router<AppState> {
        self.router
    }
}
