//! The type with which features declare their routes.

use http::Method;
use utoipa::openapi::OpenApi;

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
        .flat_map(|(path, item)| methods(item).map(move |method| Route { path: path.clone(), method }))
        .collect();
    routes.sort_by(|a, b| (&a.path, a.method.as_str()).cmp(&(&b.path, b.method.as_str())));
    routes
}

fn methods(item: &utoipa::openapi::PathItem) -> impl Iterator<Item = Method> {
    let there = [
        (Method::GET, item.get.is_some()),
        (Method::POST, item.post.is_some()),
        (Method::PUT, item.put.is_some()),
        (Method::PATCH, item.patch.is_some()),
        (Method::DELETE, item.delete.is_some()),
    ];
    there.into_iter().filter(|(_, there)| *there).map(|(method, _)| method)
}
