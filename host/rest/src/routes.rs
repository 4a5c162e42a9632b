//! The routes. What a path means is the planner's to say, so all of them end in one function.

use std::borrow::Cow;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use behalf_caller_db::{AppAnswer, AppLimits, AppRequest};
use behalf_host_db::bind::HttpRequest;
use behalf_identity::{CallerKey, Principal};
use behalf_problem::Kind;
use behalf_rest_plan::{Access, Body as Answered, Plan, RestError, Target, plan};
use behalf_web::{ApiError, Caller, ClientAddress, RequestId, Routes, routes as group};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::allow;
use crate::error::{Failure, rest_error};
use crate::http_request::{self, PREFIX, ShownRequest};
use crate::log::Logged;
use crate::start::{Rest, RestParts};

/// The column of a plan's row that holds the number of rows.
const ROWS_COLUMN: usize = 1;

/// How often a request is planned anew where its plan does not know a name.
const MAX_PLANS: usize = 2;

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
        let error = rest_error(404, "PGRST125", &message);
        std::future::ready(Failure::from(error).into_response())
    };
    Routes::new().route("/rest/v1/{*rest}", axum::routing::any(answer))
}

/// The tables and functions that the caller may use, as `OpenAPI` 2.0.
#[utoipa::path(
    get, path = "/rest/v1/", tag = "Tables and functions", operation_id = "rest_root",
    params(("query" = HashMap<String, String>, Query, style = Form, explode, description = "PostgREST's parameters.")),
    responses((status = 200, description = "The description", body = Object, content_type = "application/openapi+json"))
)]
async fn root(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// What the root takes.
#[utoipa::path(
    options, path = "/rest/v1/", tag = "Tables and functions", operation_id = "rest_root_options",
    responses((status = 200, description = "The header Allow", body = String))
)]
async fn root_options(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Reads rows of a table or view, as the caller. docs/rest.md says what the query can ask for.
#[utoipa::path(
    get, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_read",
    params(("relation" = String, Path, description = "The table or view."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "`select`, `order`, `limit`, `offset`, and a filter for each column.")),
    responses((status = 200, description = "The rows", body = Vec<Object>), (status = 206, description = "Some of the rows", body = Vec<Object>))
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
    responses((status = 201, description = "Inserted; the rows where `Prefer: return=representation` asks for them", body = Vec<Object>))
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
    responses((status = 204, description = "Updated"), (status = 200, description = "Updated, with the rows", body = Vec<Object>))
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
    responses((status = 204, description = "Replaced"), (status = 201, description = "Inserted, with the row", body = Vec<Object>))
)]
async fn replace(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Deletes the rows that the filters choose, as the caller.
#[utoipa::path(
    delete, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_delete",
    params(("relation" = String, Path, description = "The table or view."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "A filter for each column, and `select`.")),
    responses((status = 204, description = "Deleted"), (status = 200, description = "Deleted, with the rows", body = Vec<Object>))
)]
async fn remove(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// What a table or view takes.
#[utoipa::path(
    options, path = "/rest/v1/{relation}", tag = "Tables and functions", operation_id = "rest_relation_options",
    params(("relation" = String, Path, description = "The table or view.")),
    responses((status = 200, description = "The header Allow", body = String))
)]
async fn relation_options(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Calls a function that changes nothing, as the caller. Arguments are in the query.
#[utoipa::path(
    get, path = "/rest/v1/rpc/{function}", tag = "Tables and functions", operation_id = "rest_call_get",
    params(("function" = String, Path, description = "The function."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "The arguments by name; filters of its rows.")),
    responses((status = 200, description = "Its result", body = Object))
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
    responses((status = 200, description = "Its result", body = Object), (status = 204, description = "It returns nothing"))
)]
async fn call(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// What a function takes.
#[utoipa::path(
    options, path = "/rest/v1/rpc/{function}", tag = "Tables and functions", operation_id = "rest_function_options",
    params(("function" = String, Path, description = "The function.")),
    responses((status = 200, description = "The header Allow", body = String))
)]
async fn function_options(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

/// Paths and methods that mean nothing: their answer has the same form as all others here.
async fn any(State(rest): State<Rest>, request: Request) -> Response {
    answer(&rest, request).await
}

async fn answer(rest: &Rest, request: Request) -> Response {
    // A request makes many futures; boxed, they are moved once.
    let done: Result<Response, Failure> = Box::pin(work(rest, request)).await;
    done.unwrap_or_else(IntoResponse::into_response)
}

async fn work(rest: &Rest, request: Request) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let Caller(principal) = Caller::from_request_parts(&mut parts, rest).await?;
    let rest = &*rest.0;
    let target = Segments::of(&parts);
    if parts.method == Method::OPTIONS {
        return allow::answer(&rest.schema.current().cache, &profile(rest, &parts), target.target()?);
    }
    let Some((_, method)) = http_request::method(&parts.method) else {
        return Err(rest_error(405, "PGRST117", &format!("Unsupported HTTP method: {}", parts.method)).into());
    };
    let request_id = parts.extensions.get::<RequestId>().map_or("", |id| id.0.as_str());
    let mut logged = Logged::begin(rest.db.app_log(), &principal, request_id, method, rest.options.logged_reads);
    let done = async {
        let body = read_body(body, rest.options.max_body_bytes).await?;
        run(rest, &principal, &parts, &target, &body, &mut logged).await
    };
    let done = done.await;
    match &done {
        Ok(_) => {}
        Err(failure) => logged.failed(failure.outcome()),
    }
    done
}

async fn read_body(body: Body, max_bytes: usize) -> Result<Bytes, Failure> {
    to_bytes(body, max_bytes).await.map_err(|error| {
        let too_large =
            std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        Failure::Api(if too_large {
            ApiError::new(Kind::TooLarge, format!("the body has more than {max_bytes} bytes; send fewer rows at once"))
        } else {
            ApiError::bad_request("the body could not be read")
        })
    })
}

async fn run(
    rest: &RestParts,
    principal: &Principal,
    parts: &Parts,
    target: &Segments<'_>,
    body: &[u8],
    logged: &mut Logged<'_>,
) -> Result<Response, Failure> {
    let plan = make_plan(rest, parts, target, body).await?;
    logged.planned(&plan.shape, plan.access == Access::Read);
    let ClientAddress(client) = parts.extensions.get::<ClientAddress>().copied().unwrap_or(ClientAddress(None));
    let Some((_, method)) = http_request::method(&parts.method) else { return Err(no_such_path().into()) };
    let shown = ShownRequest::of(parts);
    let extra = rest.options.extra_search_path.iter().map(String::as_str);
    let mut search_path = vec![plan.schema.as_str()];
    extra.for_each(|name| {
        if !search_path.contains(&name) {
            search_path.push(name)
        }
    });
    let request = AppRequest {
        principal,
        key: CallerKey::new(principal, client),
        plan: &plan,
        http: HttpRequest {
            method,
            path: http_request::shown_path(parts),
            headers: &shown.headers,
            cookies: &shown.cookies,
        },
        search_path: &search_path,
        limits: AppLimits { max_bytes: rest.options.max_answer_bytes, deadline: rest.options.deadline },
    };
    let done = rest.db.run_plan(request).await;
    let done = done.map_err(|error| Failure::of_app(error, principal.role()))?;
    Ok(respond(done, logged))
}

/// Plans the request; where a name is unknown, the host looks whether it is new.
async fn make_plan(rest: &RestParts, parts: &Parts, target: &Segments<'_>, body: &[u8]) -> Result<Plan, Failure> {
    let (method, _) = http_request::method(&parts.method).ok_or_else(no_such_path)?;
    let request = behalf_rest_plan::Request {
        method,
        target: target.target()?,
        query: parts.uri.query().unwrap_or_default(),
        headers: http_request::headers(&parts.headers),
        body,
    };
    let mut planned = 0;
    loop {
        let loaded = rest.schema.current();
        planned += 1;
        match plan(&loaded.cache, &rest.options.plan, &request) {
            Ok(plan) => return Ok(plan),
            Err(error) if planned < MAX_PLANS && may_be_new(&error) && rest.schema.look_early(loaded.version).await => {
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the error is about a relationship, function, column or table that is not in the cache.
fn may_be_new(error: &RestError) -> bool {
    matches!(error.code.as_str(), "PGRST200" | "PGRST202" | "PGRST204" | "PGRST205" | "42703" | "42P01")
}

fn no_such_path() -> RestError {
    rest_error(404, "PGRST125", "Invalid path specified in request URL")
}

/// The schema that a request names, or the first.
fn profile(rest: &RestParts, parts: &Parts) -> String {
    let named = parts.headers.get("accept-profile").and_then(|value| value.to_str().ok());
    let named = named.filter(|name| rest.options.schemas.iter().any(|schema| schema == name));
    named.or(rest.options.schemas.first().map(String::as_str)).unwrap_or("public").to_owned()
}

/// The path behind the prefix, decoded.
enum Segments<'a> {
    Root,
    Relation(Cow<'a, str>),
    Function(Cow<'a, str>),
    Unknown,
}

impl<'a> Segments<'a> {
    fn of(parts: &'a Parts) -> Self {
        let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let path = path.strip_prefix('/').unwrap_or(path);
        let decoded = |segment: &'a str| percent_decode_str(segment).decode_utf8().ok();
        match path.split_once('/') {
            None if path.is_empty() => Self::Root,
            None if path != "rpc" => decoded(path).map_or(Self::Unknown, Self::Relation),
            Some(("rpc", name)) if !name.is_empty() && !name.contains('/') => {
                decoded(name).map_or(Self::Unknown, Self::Function)
            }
            _ => Self::Unknown,
        }
    }

    fn target(&self) -> Result<Target<'_>, RestError> {
        Ok(match self {
            Self::Root => Target::Root,
            Self::Relation(name) => Target::Relation(name),
            Self::Function(name) => Target::Function(name),
            Self::Unknown => return Err(no_such_path()),
        })
    }
}

fn respond(done: AppAnswer, logged: &mut Logged<'_>) -> Response {
    let AppAnswer { answer, row, transaction } = done;
    let rows = row.bytes(ROWS_COLUMN).and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
    logged.answered(answer.status, rows, transaction);
    let body = match answer.body {
        Answered::Empty => Body::empty(),
        Answered::Column(column) => row.bytes(column).map_or_else(Body::empty, Body::from),
        Answered::Owned(bytes) => Body::from(bytes),
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, body).into_response();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
