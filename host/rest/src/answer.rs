//! One request: its caller, its plan, its transaction, its answer.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use behalf_caller_db::{AppAnswer, AppLimits, AppRequest};
use behalf_host_db::bind::HttpRequest;
use behalf_identity::{CallerKey, Principal};
use behalf_rest_plan::{Access, Body as Answered, Request, RestError, openapi, plan};
use behalf_web::{Caller, ClientAddress, RequestId};
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::request::Parts;
use http::{HeaderValue, Method};

use crate::allow;
use crate::error::{self, Failure};
use crate::http_request::{self, ShownRequest};
use crate::log::Logged;
use crate::schema::Loaded;
use crate::start::{Rest, RestParts};
use crate::target::Segments;

/// The column of a plan's row that holds the number of rows.
const ROWS_COLUMN: usize = 1;

/// The question of a search. The function `ai.score` reads it, so the request is shown to the database.
const QUERY_HEADER: &str = "behalf-query";

/// How often a request is planned and run where a name is unknown.
const MAX_ATTEMPTS: usize = 2;

/// Answers a request in the name of its caller.
pub(crate) async fn answer(rest: &Rest, request: axum::extract::Request) -> Response {
    // A request makes many futures; boxed, they are moved once.
    let done: Result<Response, Failure> = Box::pin(work(rest, request)).await;
    done.unwrap_or_else(IntoResponse::into_response)
}

async fn work(rest: &Rest, request: axum::extract::Request) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let Caller(principal) = Caller::from_request_parts(&mut parts, rest).await?;
    let rest = &*rest.0;
    let target = Segments::of(&parts);
    if parts.method == Method::OPTIONS {
        let profile = parts.headers.get("accept-profile").and_then(|value| value.to_str().ok());
        return allow::answer(&rest.schema.current().cache, profile, target.target()?);
    }
    let Some((method, name)) = http_request::method(&parts.method) else {
        return Err(RestError::new(405, "PGRST117", format!("Unsupported HTTP method: {}", parts.method)).into());
    };
    let request_id = parts.extensions.get::<RequestId>().map_or("", |id| id.0.as_str());
    let mut logged = Logged::begin(rest.db.app_log(), &principal, request_id, name, rest.options.logged_reads);
    let done = async {
        let (body, _place) = rest.bodies.read(body).await?;
        let request = Request {
            method,
            target: target.target()?,
            query: parts.uri.query().unwrap_or_default(),
            headers: http_request::headers(&parts.headers),
            body: &body,
        };
        run(rest, &principal, &parts, &request, &mut logged).await
    };
    let done = done.await;
    if let Err(failure) = &done {
        logged.failed(failure.outcome());
    }
    done
}

/// Plans the request and runs its plan. Where that fails for a name that nobody knows, the host looks whether the database has
/// changed, and does both again: nothing was done so far.
async fn run(
    rest: &RestParts,
    principal: &Principal,
    parts: &Parts,
    request: &Request<'_>,
    logged: &mut Logged<'_>,
) -> Result<Response, Failure> {
    let mut attempts = 0;
    loop {
        let loaded = rest.schema.current();
        attempts += 1;
        match run_with(rest, &loaded, principal, parts, request, logged).await {
            Err(Failure::Rest(error))
                if attempts < MAX_ATTEMPTS && may_be_new(&error) && rest.schema.look_early(loaded.version).await => {}
            done => return done,
        }
    }
}

async fn run_with(
    rest: &RestParts,
    loaded: &Loaded,
    principal: &Principal,
    parts: &Parts,
    request: &Request<'_>,
    logged: &mut Logged<'_>,
) -> Result<Response, Failure> {
    let plan = plan(&loaded.cache, &rest.options.plan, request)?;
    logged.planned(&plan.shape, plan.access == Access::Read);
    let ClientAddress(client) = parts.extensions.get::<ClientAddress>().copied().unwrap_or(ClientAddress(None));
    let asks = parts.headers.contains_key(QUERY_HEADER);
    let is_read = loaded.reads_request || plan.pre_request.is_some() || asks;
    let shown = is_read.then(|| ShownRequest::of(parts));
    let mut search_path = vec![plan.schema.as_str()];
    for name in &rest.options.extra_search_path {
        if !search_path.contains(&name.as_str()) {
            search_path.push(name);
        }
    }
    let done = rest.db.run_plan(AppRequest {
        principal,
        key: CallerKey::new(principal, client),
        plan: &plan,
        http: shown.as_ref().map(|shown| HttpRequest {
            method: request.method.as_str(),
            path: http_request::shown_path(parts),
            headers: &shown.headers,
            cookies: &shown.cookies,
        }),
        search_path: &search_path,
        limits: AppLimits { max_bytes: rest.options.max_answer_bytes, deadline: rest.options.deadline },
    });
    let mut done = done.await.map_err(|error| Failure::of_app(error, principal.role()))?;
    if plan.describes() {
        done.answer = openapi(&loaded.cache, &plan, &done.row.columns())?;
    }
    respond(done, logged)
}

/// Whether the error is about a relationship, function, column, table, type or media type that the cache, or by now the
/// database, does not have.
fn may_be_new(error: &RestError) -> bool {
    matches!(
        &*error.code,
        "PGRST107" | "PGRST200" | "PGRST202" | "PGRST204" | "PGRST205" | "42703" | "42P01" | "42883" | "42704"
    )
}

fn respond(done: AppAnswer, logged: &mut Logged<'_>) -> Result<Response, Failure> {
    let AppAnswer { answer, row, transaction } = done;
    let rows = row.bytes(ROWS_COLUMN).and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
    logged.answered(answer.status, rows, transaction);
    let body = match answer.body {
        Answered::Empty => Body::empty(),
        Answered::Column(column) => row.bytes(column).map_or_else(Body::empty, Body::from),
        Answered::Hex(column) => match row.bytes(column) {
            Some(digits) => Body::from(hex::decode(digits).map_err(|_| unread())?),
            None => Body::empty(),
        },
        Answered::Own(bytes) => Body::from(bytes),
    };
    let mut response = (error::status_of(answer.status), body).into_response();
    error::append(&mut response, &answer.headers);
    // A function chooses the media type of its answer; no browser chooses another.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn unread() -> RestError {
    RestError::new(500, "PGRSTX00", "The bytes of the answer could not be read")
}
