//! Failures as PostgREST's clients know them: always an object with `code`, `message`, `details` and `hint`.

use axum::response::{IntoResponse, Response};
use behalf_caller_db::{AppError, UNKNOWN_COMMIT};
use behalf_identity::{Role, VerifyError};
use behalf_pgwire::WireError;
use behalf_problem::{Kind, LogText as _};
use behalf_rest_plan::{DatabaseError, RestError};
use behalf_web::ApiError;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Headers that belong to the connection.
const FRAMING: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE];

/// SQLSTATE `transaction_resolution_unknown`.
const RESOLUTION_UNKNOWN: &str = "08007";

/// The body of every failure of `/rest/v1`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what `object` writes")]
pub(crate) struct RestProblem {
    /// A code of PostgREST, or Postgres's SQLSTATE.
    code: String,
    /// What went wrong.
    message: String,
    /// More about it.
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
    /// What to do about it.
    #[schema(value_type = Option<Object>)]
    hint: Option<Value>,
}

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is refused before anything is planned: for its token, its limits, its body.
    Api(ApiError),
    /// The planner refuses it, or the answer.
    Rest(Box<RestError>),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<RestError> for Failure {
    fn from(error: RestError) -> Self {
        Self::Rest(Box::new(error))
    }
}

impl From<Box<RestError>> for Failure {
    fn from(error: Box<RestError>) -> Self {
        Self::Rest(error)
    }
}

impl Failure {
    /// The status and the code, for the log of requests.
    pub(crate) fn outcome(&self) -> (u16, String) {
        match self {
            Self::Api(error) => (error.status().as_u16(), api_code(error).to_owned()),
            Self::Rest(error) => (error.status, logged_code(&error.code).to_owned()),
        }
    }

    /// Of what the database, or the way to it, said.
    pub(crate) fn of_app(error: AppError, role: Role) -> Self {
        let of_server = |code: &str, message: &str| {
            let error = DatabaseError { code, message, detail: None, hint: None };
            Self::from(RestError::from_database(&error, role == Role::Anon))
        };
        match error {
            AppError::Refused(error) => Self::Rest(error),
            AppError::Busy(why) => Self::from(RestError::new(504, "PGRST003", why)),
            AppError::Deadline(_) => of_server("57014", "canceling statement due to statement timeout"),
            AppError::TooLarge(bytes) => {
                let mut error = RestError::new(413, "54000", format!("the answer has more than {bytes} bytes"));
                error.hint = Some(Box::new("ask for fewer rows or columns, with limit, offset and select".into()));
                error.into()
            }
            AppError::Identity => {
                tracing::error!("a connection's identity changed during a request; it was closed and rolled back");
                of_server("XX000", "the identity of the session changed during the request")
            }
            AppError::Unknown(error) => {
                tracing::warn!(error = error.log_text(), "a commit of /rest/v1 got no answer");
                Self::from(RestError::new(500, RESOLUTION_UNKNOWN, UNKNOWN_COMMIT))
            }
            AppError::Database(error) => Self::of_wire(&error, role),
        }
    }

    fn of_wire(error: &WireError, role: Role) -> Self {
        let WireError::Server { code, texts, .. } = error else {
            tracing::warn!(error = error.log_text(), "a request's database connection failed");
            let message = "the database cannot be reached right now; try again shortly";
            let mut error = RestError::new(503, "PGRST001", message);
            // As PostgREST does.
            error.headers.push(("retry-after".to_owned(), "1".to_owned()));
            return Self::from(error);
        };
        let (message, detail, hint) = texts.for_app();
        let error = DatabaseError { code, message, detail, hint };
        Self::from(RestError::from_database(&error, role == Role::Anon))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Api(error) => of_api(error),
            Self::Rest(error) => of_rest(&error),
        }
    }
}

/// A code for logs. One that a function of the app made up may be any text.
fn logged_code(code: &str) -> &str {
    let is_code = (5..=8).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_code { code } else { "raised" }
}

fn of_rest(error: &RestError) -> Response {
    let status = status_of(error.status);
    if status.is_server_error() {
        // The code alone: what the database says of a failure may quote rows.
        tracing::info!(
            http.status = status.as_u16(),
            error.code = logged_code(&error.code),
            "a request to /rest/v1 failed"
        );
    }
    let mut response = object(status, &error.code, &error.message, error.details.as_deref(), error.hint.as_deref());
    append(&mut response, &error.headers);
    if status == StatusCode::UNAUTHORIZED && !response.headers().contains_key(WWW_AUTHENTICATE) {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A status that functions of the app may choose.
pub(crate) fn status_of(number: u16) -> StatusCode {
    let status = StatusCode::from_u16(number).ok().filter(|status| !status.is_informational());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Adds headers that functions of the app may choose, but for those that say how the answer is framed.
pub(crate) fn append(response: &mut Response, headers: &[(String, String)]) {
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            && !FRAMING.contains(&name)
        {
            response.headers_mut().append(name, value);
        }
    }
}

/// The headers, such as `Retry-After`, stay those of the other routes.
fn of_api(error: ApiError) -> Response {
    let (status, code, message) = (error.status(), api_code(&error), error.detail());
    let challenge = (status == StatusCode::UNAUTHORIZED && code != "PGRST302").then(|| {
        format!("Bearer error=\"invalid_token\", error_description=\"{}\"", message.replace(['"', '\\'], "'"))
    });
    let mut response = error.rendered_as(object(status, code, &message, None, None));
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

fn object(status: StatusCode, code: &str, message: &str, details: Option<&Value>, hint: Option<&Value>) -> Response {
    let body = json!({ "code": code, "message": message, "details": details, "hint": hint });
    (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

/// The code of a failure that other routes know as well: PostgREST's where it has one.
fn api_code(error: &ApiError) -> &'static str {
    let problem: &(dyn std::error::Error + 'static) = error.problem();
    match (problem.downcast_ref::<VerifyError>(), error.kind()) {
        (Some(VerifyError::Missing), _) => "PGRST302",
        (Some(VerifyError::Expired | VerifyError::Audience), _) => "PGRST303",
        (_, Kind::Unauthorized) => "PGRST301",
        (_, Kind::Forbidden) => "42501",
        (_, Kind::TooLarge) => "54000",
        (_, Kind::TooManyRequests) => "53400",
        (_, Kind::BadRequest) => "PGRST102",
        (_, Kind::Deadline) => "57014",
        (_, Kind::Unavailable | Kind::Busy) => "PGRST001",
        (_, Kind::NotFound) => "PGRST125",
        (_, Kind::MethodNotAllowed) => "PGRST117",
        _ => "XX000",
    }
}
