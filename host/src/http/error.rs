use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::limits::TooMany;
use crate::db::CreditError;
use crate::identity::{ActAsError, VerifyError};
use crate::sandbox::{CallError, DefinitionsError, GrantError, InspectError};
use crate::tools::{CustomToolError, RegisterError, RegistryError, SignatureError, ToolCallError};

/// Every way an answer of `/api` is not the one that was asked for. The one place that chooses status codes.
#[derive(Debug)]
pub enum ApiError {
    /// No acceptable token.
    Unauthorized(VerifyError),
    /// A caller who may not do this at all.
    Forbidden(String),
    /// Nothing there, or nothing this caller may know of.
    NotFound(&'static str),
    /// There is something, and it does not take this method.
    MethodNotAllowed,
    /// The request is not of the documented form.
    BadRequest(String),
    /// The same request is being worked on.
    InProgress(String),
    /// There are not enough credits, or nobody can say.
    Credits(CreditError),
    /// A limit was met.
    TooMany(TooMany),
    /// It clashes with something that exists.
    Conflict(String),
    /// It is understood and cannot be done.
    Unprocessable(String),
    /// The body is too large.
    TooLarge(String),
    /// Something this host needs is away.
    Unavailable(String),
    /// A server that was asked for the client does not answer as it should.
    Upstream(String),
    /// A tool's call failed.
    Tool(ToolCallError),
    /// An agent's run failed.
    Run {
        /// The run.
        run_id: String,
        /// What happened, for the client.
        error: String,
    },
    /// Our own fault. The chain is logged, the client learns only that.
    Internal(Box<dyn Error + Send + Sync>),
}

/// Left in the response for the middleware that logs, once.
#[derive(Clone, Debug)]
pub(super) struct Failure(pub(super) Arc<ApiError>);

/// Left in a response whose body says what happened already, in another API's form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told;

struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    /// The whole body, where the platform's clients know another one.
    exact: Option<Value>,
}

impl ApiError {
    /// What happened, for the client.
    pub(super) fn detail(&self) -> String {
        self.problem().detail
    }

    fn problem(&self) -> Problem {
        let (status, kind, title) = match self {
            Self::Unauthorized(VerifyError::KeysUnavailable | VerifyError::DelegationsUnavailable)
            | Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request", "Bad request"),
            Self::InProgress(_) => (StatusCode::CONFLICT, "in-progress", "In progress"),
            Self::Credits(CreditError::Insufficient { .. }) => {
                (StatusCode::PAYMENT_REQUIRED, "insufficient-credits", "Insufficient credits")
            }
            Self::Credits(CreditError::Unreachable(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "billing-unreachable", "Billing unreachable")
            }
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::Unprocessable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "Unprocessable"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::Upstream(_) => (StatusCode::BAD_GATEWAY, "upstream", "Bad gateway"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::Run { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "run-failed", "The run failed"),
            Self::Tool(error) => tool_status(error),
        };
        let detail = match self {
            Self::Unauthorized(error) => error.to_string(),
            Self::Forbidden(text)
            | Self::BadRequest(text)
            | Self::Conflict(text)
            | Self::InProgress(text)
            | Self::Unprocessable(text)
            | Self::TooLarge(text)
            | Self::Upstream(text)
            | Self::Unavailable(text) => text.clone(),
            Self::NotFound(text) => (*text).to_owned(),
            Self::TooMany(refused) => refused.to_string(),
            Self::Credits(error) => error.to_string(),
            Self::MethodNotAllowed => "this endpoint does not take this method".to_owned(),
            Self::Tool(error) => error.to_string(),
            Self::Run { error, .. } => error.clone(),
            Self::Internal(_) => "internal error".to_owned(),
        };
        Problem { status, kind, title, detail, more: self.more(), exact: self.exact() }
    }

    /// The platform's own body of a refusal for want of credits, to the field.
    fn exact(&self) -> Option<Value> {
        match self {
            Self::Credits(CreditError::Insufficient { balance, estimated_cost }) => Some(json!({
                "error": "insufficient_credits", "balance": balance, "estimated_cost": estimated_cost, "renews_at": null,
            })),
            Self::Credits(error @ CreditError::Unreachable(_)) => Some(json!({ "error": error.to_string() })),
            _ => None,
        }
    }

    /// Whether trying again soon may help.
    fn is_short(&self) -> bool {
        !matches!(self, Self::Conflict(_))
    }

    /// Fields beyond those of RFC 9457.
    fn more(&self) -> Map<String, Value> {
        let mut more = Map::new();
        if let Self::Run { run_id, .. } = self {
            more.insert("run_id".to_owned(), json!(run_id));
        }
        if let Self::Tool(error) = self {
            more.insert("code".to_owned(), json!(error.code()));
            match error {
                ToolCallError::Arguments(faults) => {
                    more.insert("faults".to_owned(), json!(faults));
                }
                ToolCallError::Call { call_id, error } => {
                    more.insert("call_id".to_owned(), json!(call_id));
                    if let CallError::Tool { code, retryable, .. } = error {
                        more.insert("tool_code".to_owned(), json!(code));
                        more.insert("retryable".to_owned(), json!(retryable));
                    }
                }
                ToolCallError::NotFound | ToolCallError::Unavailable(_) | ToolCallError::Credits(_) => {}
            }
        }
        more
    }
}

fn tool_status(error: &ToolCallError) -> (StatusCode, &'static str, &'static str) {
    let call = match error {
        ToolCallError::NotFound => return (StatusCode::NOT_FOUND, "not-found", "Not found"),
        ToolCallError::Arguments(_) => return (StatusCode::BAD_REQUEST, "invalid-arguments", "Arguments do not fit"),
        ToolCallError::Credits(_) => {
            return (StatusCode::PAYMENT_REQUIRED, "insufficient-credits", "Insufficient credits");
        }
        ToolCallError::Unavailable(_) => return (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
        ToolCallError::Call { error, .. } => error,
    };
    match call {
        CallError::Tool { code, .. } if code == "denied" => (StatusCode::FORBIDDEN, "refused", "Refused"),
        CallError::NotGranted(_) => (StatusCode::FORBIDDEN, "not-granted", "Not granted"),
        CallError::Tool { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "tool-error", "The tool failed"),
        CallError::Deadline(_) => (StatusCode::REQUEST_TIMEOUT, "deadline", "Deadline passed"),
        CallError::Trapped(_) | CallError::NotJson => (StatusCode::BAD_GATEWAY, "tool-crashed", "The tool crashed"),
        CallError::Memory(_) | CallError::Output(_) | CallError::HostCalls(_) => {
            (StatusCode::INSUFFICIENT_STORAGE, "limit", "A limit was reached")
        }
        CallError::Files => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
        CallError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy"),
        CallError::Commit { code, .. } => match *code {
            "forbidden" | "refused" | "not_granted" => (StatusCode::FORBIDDEN, "refused", "Refused"),
            "unavailable" => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "not-committed", "Not committed"),
        },
    }
}

impl Problem {
    /// The members of RFC 9457, `error` for the platform's clients, and what belongs to this one failure.
    fn body(self, request_id: Option<&str>) -> Value {
        if let Some(exact) = self.exact {
            return exact;
        }
        let mut body = json!({
            "type": format!("urn:behalf:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "error": self.detail,
        });
        if let Value::Object(fields) = &mut body {
            fields.extend(self.more);
            fields.extend(request_id.map(|id| ("request_id".to_owned(), json!(id))));
        }
        body
    }
}

impl Failure {
    /// The body once more, with the id of the request, which whoever made the failure does not know.
    pub(super) fn body(&self, request_id: &str) -> String {
        self.0.problem().body(Some(request_id)).to_string()
    }
}

impl IntoResponse for ApiError {
    /// Does not log: [`super::observe`] does, once, inside the request's span. It also adds the request's id.
    fn into_response(self) -> Response {
        let problem = self.problem();
        let (status, is_exact) = (problem.status, problem.exact.is_some());
        let mut response = (status, axum::Json(problem.body(None))).into_response();
        let headers = response.headers_mut();
        let kind = if is_exact { "application/json" } else { "application/problem+json" };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT if self.is_short() => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        if let Self::TooMany(refused) = &self {
            refused.write(headers);
        }
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}

impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> Self {
        Self::Unauthorized(error)
    }
}

impl From<CreditError> for ApiError {
    fn from(error: CreditError) -> Self {
        Self::Credits(error)
    }
}

impl From<TooMany> for ApiError {
    fn from(refused: TooMany) -> Self {
        Self::TooMany(refused)
    }
}

impl From<ActAsError> for ApiError {
    fn from(error: ActAsError) -> Self {
        Self::Forbidden(error.to_string())
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            // Class 22: a value that Postgres has no form for, such as a NUL character within a text.
            sqlx::Error::Database(refusal) if refusal.code().is_some_and(|code| code.starts_with("22")) => {
                Self::BadRequest("the request holds a value that cannot be stored, such as a NUL character".to_owned())
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => {
                Self::Unavailable("the database cannot be reached right now".to_owned())
            }
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<ToolCallError> for ApiError {
    fn from(error: ToolCallError) -> Self {
        match error {
            ToolCallError::Credits(error) => Self::Credits(error),
            error => Self::Tool(error),
        }
    }
}

impl From<GrantError> for ApiError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Form(_) => Self::BadRequest(error.to_string()),
            _ => Self::Unprocessable(error.to_string()),
        }
    }
}

impl From<SignatureError> for ApiError {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::Envelope(_) => Self::BadRequest(error.to_string()),
            _ => Self::Forbidden(error.to_string()),
        }
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::NotFound => Self::NotFound("Plugin not found"),
            RegistryError::Grants(error) => error.into(),
            RegistryError::Signature(error) => error.into(),
            RegistryError::Settings => Self::BadRequest(error.to_string()),
            RegistryError::Database(error) => error.into(),
        }
    }
}

impl From<CustomToolError> for ApiError {
    fn from(error: CustomToolError) -> Self {
        use crate::db::CustomToolError as Store;
        match error {
            CustomToolError::NotFound => Self::NotFound("Tool not found"),
            CustomToolError::Store(Store::Database(error)) => error.into(),
            CustomToolError::Store(Store::Taken) => Self::Conflict(error.to_string()),
            CustomToolError::Registry(error) => error.into(),
            _ => Self::BadRequest(error.to_string()),
        }
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        use crate::db::PluginStoreError as Store;
        use crate::sandbox::CompileError as Compile;
        match error {
            RegisterError::Inspect(InspectError::TooLarge(_)) => Self::TooLarge(error.to_string()),
            RegisterError::Definitions(DefinitionsError::Compile(Compile::Store(source))) => {
                Self::Internal(Box::new(source))
            }
            RegisterError::Definitions(DefinitionsError::Run(CallError::Busy)) => {
                Self::Unavailable("all places for running tools are taken".to_owned())
            }
            RegisterError::Grants(error) => error.into(),
            RegisterError::Signature(error) => error.into(),
            RegisterError::Store(Store::Database(error)) => error.into(),
            RegisterError::Store(_) => Self::Conflict(error.to_string()),
            RegisterError::Registry(error) => error.into(),
            RegisterError::Manifest(_) => Self::Internal(Box::new(error)),
            RegisterError::Inspect(_)
            | RegisterError::Definitions(_)
            | RegisterError::Definition(_)
            | RegisterError::Name(_) => Self::BadRequest(error.to_string()),
        }
    }
}
