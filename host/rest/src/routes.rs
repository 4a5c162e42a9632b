//! The routes. What a path means is the planner's to say, so all of them end in one function.

use std::future::ready;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use behalf_rest_plan::RestError;
use behalf_web::{Routes, routes as group};

use crate::answer::answer;
use crate::error::{Failure, RestProblem};
use crate::start::Rest;

/// The routes of the feature.
pub fn routes(rest: Rest) -> Routes {
    Routes::new()
        .routes(group!(root, root_options))
        .routes(group!(read, insert, update, replace, remove, relation_options))
        .routes(group!(call_get, call, function_options))
        .route("/rest/v1/", MethodRouter::new().fallback(any))
        .route("/rest/v1/{relation}", MethodRouter::new().fallback(any))
        .route("/rest/v1/rpc/{function}", MethodRouter::new().fallback(any))
        .route("/rest/v1", axum::routing::any(any))
        .route("/rest/v1/rpc", axum::routing::any(any))
        .route("/rest/v1/rpc/", axum::routing::any(any))
        .route("/rest/v1/{relation}/", axum::routing::any(any))
        .route("/rest/v1/{relation}/{*rest}", axum::routing::any(any))
        .with_state(rest)
}

/// The routes where `/rest/v1` is not served here; `there` is the address where it is.
pub fn elsewhere(there: Option<&str>) -> Routes {
    let message = match there {
        Some(there) => format!("this host does not serve /rest/v1; it is at {there}"),
        None => "this host does not serve /rest/v1".to_owned(),
    };
    let answer = move || {
        let error = RestError::new(404, "PGRST125", message.clone());
        ready(Failure::from(error).into_response())
    };
    Routes::new()
        .route("/rest/v1", axum::routing::any(answer.clone()))
        .route("/rest/v1/", axum::routing::any(answer.clone()))
        .route("/rest/v1/{*rest}", axum::routing::any(answer))
}

/// The tables and functions that the caller may use, as `OpenAPI` 2.0.
#[utoipa::path(
    get, path = "/rest/v1/", tag = "Tables and functions", operation_id = "rest_root",
    params(("query" = HashMap<String, String>, Query, style = Form, explode, description = "PostgREST's parameters.")),
    responses((status = 200, description = "The description", body = Object, content_type = "application/openapi+json"),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn root(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// What the root takes.
#[utoipa::path(
    options, path = "/rest/v1/", tag = "Tables and functions", operation_id = "rest_root_options",
    responses((status = 200, description = "The header Allow", body = String),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn root_options(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Reads rows of a table or view, as the caller. docs/rest.md says what the query can ask for.
#[utoipa::path(
    get, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_read",
    params(("relation" = String, Path, description = "The table or view."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "`select`, `order`, `limit`, `offset`, and a filter for each column.")),
    responses((status = 200, description = "The rows", body = Vec<Object>), (status = 206, description = "Some of the rows", body = Vec<Object>),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn read(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Inserts rows, or updates those that exist, as the caller.
#[utoipa::path(
    post, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_insert",
    params(("relation" = String, Path, description = "The table or view."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "`select`, `columns`, `on_conflict`.")),
    request_body(content = Object, description = "A row, or an array of rows; also as CSV or as a form."),
    responses((status = 201, description = "Inserted; the rows where `Prefer: return=representation` asks for them", body = Vec<Object>),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn insert(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Updates the rows that the filters choose, as the caller.
#[utoipa::path(
    patch, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_update",
    params(("relation" = String, Path, description = "The table or view."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "A filter for each column, and `select`.")),
    request_body(content = Object, description = "The columns to change."),
    responses((status = 204, description = "Updated"), (status = 200, description = "Updated, with the rows", body = Vec<Object>),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn update(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Inserts or replaces the one row that the filters name by its key, as the caller.
#[utoipa::path(
    put, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_replace",
    params(("relation" = String, Path, description = "The table or view."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "`eq` for each column of the key.")),
    request_body(content = Object, description = "The whole row."),
    responses((status = 204, description = "Replaced"), (status = 201, description = "Inserted, with the row", body = Vec<Object>),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn replace(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Deletes the rows that the filters choose, as the caller.
#[utoipa::path(
    delete, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_delete",
    params(("relation" = String, Path, description = "The table or view."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "A filter for each column, and `select`.")),
    responses((status = 204, description = "Deleted"), (status = 200, description = "Deleted, with the rows", body = Vec<Object>),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn remove(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// What a table or view takes.
#[utoipa::path(
    options, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_relation_options",
    params(("relation" = String, Path, description = "The table or view.")),
    responses((status = 200, description = "The header Allow", body = String),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn relation_options(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Calls a function that changes nothing, as the caller. Arguments are in the query.
#[utoipa::path(
    get, path = "/rest/v1/rpc/{function}", tag = "Tables and functions", operation_id = "rest_call_get",
    params(("function" = String, Path, description = "The function."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "The arguments by name; filters of its rows.")),
    responses((status = 200, description = "Its result", body = Object),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn call_get(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Calls a function, as the caller.
#[utoipa::path(
    post, path = "/rest/v1/rpc/{function}", tag = "Tables and functions", operation_id = "rest_call",
    params(("function" = String, Path, description = "The function."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "Filters of its rows.")),
    request_body(content = Object, description = "The arguments by name."),
    responses((status = 200, description = "Its result", body = Object), (status = 204, description = "It returns nothing"),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn call(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// What a function takes.
#[utoipa::path(
    options, path = "/rest/v1/rpc/{function}", tag = "Tables and functions", operation_id = "rest_function_options",
    params(("function" = String, Path, description = "The function.")),
    responses((status = 200, description = "The header Allow", body = String),
        (status = "default", description = "The request failed", body = RestProblem))
)]
async fn function_options(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Paths and methods that mean nothing: their answer has the same form as all others here.
async fn any(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}
