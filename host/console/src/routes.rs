//! The routes of the page.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::response::{IntoResponse as _, Response};
use behalf_caller_db::{StatementTrace, TracedStatement};
use behalf_web::{ApiError, Json, Path, Query, Routes, SignedIn, Web, routes as group};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::files;
use crate::here::MadeHere;
use crate::setup::{ChatDemo, ChatSetup};

/// What the handlers need.
#[derive(Clone)]
struct Chat {
    web: Web,
    demo: ChatDemo,
    trace: Arc<StatementTrace>,
}

impl FromRef<Chat> for Web {
    fn from_ref(chat: &Chat) -> Self {
        chat.web.clone()
    }
}

/// The routes of the demo, which shows users what `trace` kept of their statements.
pub fn routes(demo: ChatDemo, web: Web, trace: Arc<StatementTrace>) -> Routes {
    Routes::new()
        .routes(group!(page))
        .routes(group!(file))
        .routes(group!(setup))
        .routes(group!(statements))
        .with_state(Chat { web, demo, trace })
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StatementsQuery {
    /// Statements with higher numbers only; all where absent.
    after: Option<u64>,
}

/// A statement that ran as the caller, or was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DemoStatement)]
struct Statement {
    /// Its number; later ones have higher ones.
    number: u64,
    /// The database role.
    role: &'static str,
    /// The tool that sent it; null where the host itself did, such as for a search.
    tool: Option<String>,
    /// Its text, without the values of its parameters.
    text: String,
    /// Rows returned or changed.
    rows: u64,
    /// `allowed`, or why it did not run: a rule of the SQL gate, or `failed`.
    verdict: &'static str,
    /// SQLSTATE of the server's error, if it failed there.
    sqlstate: Option<String>,
}

impl From<TracedStatement> for Statement {
    fn from(traced: TracedStatement) -> Self {
        let TracedStatement { number, role, tool, text, rows, verdict, sqlstate, .. } = traced;
        Self { number, role, tool: tool.map(|tool| tool.to_string()), text, rows, verdict, sqlstate }
    }
}

/// The newest statements that ran as the caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DemoStatements)]
struct Statements {
    /// Oldest first.
    statements: Vec<Statement>,
    /// The number of the newest statement of all, to ask for later ones.
    last: u64,
}

/// The page in which two users ask one agent.
#[utoipa::path(
    get, path = "/demo/chat", operation_id = "demo_chat", tag = "Demo", security(()),
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
async fn page() -> Response {
    files::page()
}

/// A file that the page loads.
#[utoipa::path(
    get, path = "/demo/chat/{file}", operation_id = "demo_chat_file", tag = "Demo", security(()),
    params(("file" = String, Path, description = "The file's name.")),
    responses((status = 200, description = "The file", body = String, content_type = "text/plain"))
)]
async fn file(Path(name): Path<String>) -> Result<Response, ApiError> {
    files::file(&name).ok_or_else(|| ApiError::not_found("the page has no such file"))
}

/// What the page needs to begin, with the passwords of the demo's users. Only the page itself, on this machine, gets it.
#[utoipa::path(
    get, path = "/demo/chat/setup", operation_id = "demo_chat_setup", tag = "Demo", security(()),
    responses((status = 200, description = "The users, the agent and the public key", body = ChatSetup))
)]
async fn setup(_page: MadeHere, State(chat): State<Chat>) -> Result<Response, ApiError> {
    let waits = || ApiError::unavailable("the demo is being prepared; try again shortly");
    let mut response = Json(chat.demo.setup().ok_or_else(waits)?).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The newest statements that ran as the caller, for whichever tool or search.
#[utoipa::path(
    get, path = "/demo/chat/statements", operation_id = "demo_chat_statements", tag = "Demo",
    params(StatementsQuery),
    responses((status = 200, description = "The statements", body = Statements))
)]
async fn statements(
    State(chat): State<Chat>,
    SignedIn(principal): SignedIn,
    Query(query): Query<StatementsQuery>,
) -> Result<Json<Statements>, ApiError> {
    let nobody = || ApiError::forbidden("statements are shown to the user as whom they ran; send a user's token");
    let user = principal.subject().ok_or_else(nobody)?;
    let (statements, last) = chat.trace.after(user, query.after.unwrap_or_default());
    Ok(Json(Statements { statements: statements.into_iter().map(Statement::from).collect(), last }))
}
