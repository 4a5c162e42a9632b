//! The type with which features declare their routes.

use http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};

/// Routes with their descriptions. [`crate::routes!`] adds a handler with the method, path, request and response of its
/// `#[utoipa::path]`, so every served route is described in `/openapi.json`.
pub type Routes<S = ()> = utoipa_axum::router::OpenApiRouter<S>;

/// A route: one method of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The path as it is declared, with names of its parts in braces: `/api/agents/{agent}`.
    pub path: String,
    /// The method; what takes GET takes HEAD as well.
    pub method: Method,
}

/// The routes of a description in the order of their paths.
pub fn declared(api: &OpenApi) -> Vec<Route> {
    let mut routes: Vec<Route> = api
        .paths
        .paths
        .iter()
        .flat_map(|(path, item)| operations(item).map(move |(method, _)| Route { path: path.clone(), method }))
        .collect();
    routes.sort_by(|a, b| (&a.path, a.method.as_str()).cmp(&(&b.path, b.method.as_str())));
    routes
}

/// The methods of a path, with what is declared for each.
pub(crate) fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let there = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    there.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}
