//! Errors as clients see them: `{code, message, details, hint}`.

pub(crate) mod cut;
mod database;
mod hints;
mod schema;

use std::borrow::Cow;

use serde_json::{Value, json};

pub use database::DatabaseError;
pub(crate) use schema::Call;

use crate::request::payload::Problem;
use crate::syntax::ParseError;

/// An error with the status and headers of its answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct RestError {
    /// The status of the answer.
    pub status: u16,
    /// A code of `PostgREST`, or the SQLSTATE.
    pub code: Cow<'static, str>,
    /// What went wrong.
    pub message: String,
    /// More about it.
    pub details: Option<Box<Value>>,
    /// What to do about it.
    pub hint: Option<Box<Value>>,
    /// Headers of the answer besides its content type.
    pub headers: Vec<(String, String)>,
}

impl RestError {
    /// An error without details and hint.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: Cow::Borrowed(code),
            message: message.into(),
            details: None,
            hint: None,
            headers: Vec::new(),
        }
    }

    /// The body of the answer: a JSON object.
    pub fn body(&self) -> Vec<u8> {
        json!({ "code": self.code, "details": self.details, "hint": self.hint, "message": self.message })
            .to_string()
            .into_bytes()
    }

    pub(crate) fn details(mut self, details: impl Into<Value>) -> Self {
        self.details = Some(Box::new(details.into()));
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<Value>) -> Self {
        self.hint = Some(Box::new(hint.into()));
        self
    }

    pub(crate) fn invalid_body(problem: Problem) -> Self {
        match problem {
            Problem::Invalid(message) => Self::new(400, "PGRST102", message),
            Problem::TooLarge(bound) => Self::new(413, "54000", "the body is too large").details(bound),
        }
    }

    pub(crate) fn content_type(mime: &str) -> Self {
        Self::new(400, "PGRST102", format!("Content-Type not acceptable: {}", cut::name(mime)))
    }

    pub(crate) fn range(details: impl Into<Value>) -> Self {
        Self::new(416, "PGRST103", "Requested range not satisfiable").details(details)
    }

    pub(crate) fn offset(offset: i64, total: i64) -> Self {
        Self::range(format!("An offset of {offset} was requested, but there are only {total} rows."))
    }

    pub(crate) fn invalid_filters() -> Self {
        Self::new(405, "PGRST105", "Filters must include all and only primary key columns with 'eq' operators")
    }

    pub(crate) fn media(types: &str) -> Self {
        Self::new(406, "PGRST107", format!("None of these media types are available: {}", cut::text(types)))
    }

    pub(crate) fn not_embedded(resource: &str) -> Self {
        let resource = cut::name(resource);
        Self::new(400, "PGRST108", format!("'{resource}' is not an embedded resource in this request"))
            .hint(format!("Verify that '{resource}' is included in the 'select' query parameter."))
    }

    /// Two resources of one name in one row. The text is that of Postgres, to which `PostgREST` leaves it.
    pub(crate) fn embedded_twice(origin: &str, key: &str, depth: usize) -> Self {
        let key = cut::name(key);
        Self::new(400, "42712", format!("table name \"{origin}_{key}_{depth}\" specified more than once"))
    }

    pub(crate) fn response_headers() -> Self {
        let message =
            "response.headers guc must be a JSON array composed of objects with a single key and a string value";
        Self::new(500, "PGRST111", message)
    }

    pub(crate) fn response_status() -> Self {
        Self::new(500, "PGRST112", "response.status guc must be a valid status code")
    }

    pub(crate) fn put_limit() -> Self {
        Self::new(400, "PGRST114", "limit/offset querystring parameters are not allowed for PUT")
    }

    pub(crate) fn put_key() -> Self {
        Self::new(400, "PGRST115", "Payload values do not match URL in primary key column(s)")
    }

    pub(crate) fn not_one(rows: i64) -> Self {
        Self::new(406, "PGRST116", "Cannot coerce the result to a single JSON object")
            .details(format!("The result contains {rows} rows"))
    }

    pub(crate) fn method(method: &str) -> Self {
        Self::new(405, "PGRST117", format!("Unsupported HTTP method: {method}"))
    }

    pub(crate) fn rpc_method(method: &str) -> Self {
        Self::new(405, "PGRST101", format!("Cannot use the {method} method on RPC"))
    }

    pub(crate) fn related_order(origin: &str, target: &str) -> Self {
        let target = cut::name(target);
        Self::new(400, "PGRST118", format!("A related order on '{target}' is not possible"))
            .details(format!("'{origin}' and '{target}' do not form a many-to-one or one-to-one relationship"))
    }

    pub(crate) fn preferences(invalid: &[String]) -> Self {
        Self::new(400, "PGRST122", "Invalid preferences given with handling=strict")
            .details(format!("Invalid preferences: {}", cut::text(&invalid.join(", "))))
    }

    pub(crate) fn aggregates() -> Self {
        Self::new(400, "PGRST123", "Use of aggregate functions is not allowed")
    }

    pub(crate) fn max_affected(rows: i64) -> Self {
        Self::new(400, "PGRST124", "Query result exceeds max-affected preference constraint")
            .details(format!("The query affects {rows} rows"))
    }

    /// The path has more segments than the interface knows.
    pub fn path() -> Self {
        Self::new(404, "PGRST125", "Invalid path specified in request URL")
    }

    pub(crate) fn openapi_disabled() -> Self {
        Self::new(404, "PGRST126", "Root endpoint metadata is disabled")
    }

    /// PostgREST refuses them as well, in these words.
    pub(crate) fn spread_aggregates() -> Self {
        Self::new(400, "PGRST127", "Feature not implemented")
            .details("Aggregates are not implemented for one-to-many or many-to-many spreads.")
    }

    pub(crate) fn max_affected_single() -> Self {
        let message = "Function must return SETOF or TABLE when max-affected preference is used with handling=strict";
        Self::new(400, "PGRST128", message)
    }

    pub(crate) fn schema_profile(asked: &str, exposed: &str) -> Self {
        Self::new(406, "PGRST106", format!("Invalid schema: {}", cut::name(asked)))
            .hint(format!("Only the following schemas are exposed: {exposed}"))
    }

    /// The same as Postgres says of a column that is not there.
    pub(crate) fn undefined_column(relation: &str, column: &str) -> Self {
        let (relation, column) = (cut::name(relation), cut::name(column));
        Self::new(400, "42703", format!("column {relation}.{column} does not exist"))
    }

    /// The same as Postgres says of a type that is not there.
    pub(crate) fn undefined_type(name: &str) -> Self {
        Self::new(400, "42704", format!("type \"{}\" does not exist", cut::name(name)))
    }

    pub(crate) fn name_with_nul() -> Self {
        Self::new(400, "PGRST100", "A name contains a character that names cannot have").details("unexpected NUL")
    }

    /// A value is too large for its operator; `bound` says how large it may be.
    pub(crate) fn large_value(bound: &'static str) -> Self {
        Self::new(400, "54000", bound)
    }

    /// The statement would be longer than Postgres should have to read.
    pub(crate) fn too_large() -> Self {
        Self::new(400, "54000", "the request is too large")
            .details("Its statement would have too much text, too many values, or read too many tables.")
            .hint("Use fewer conditions, columns and embedded resources, or several requests.")
    }
}

impl From<ParseError> for RestError {
    fn from(error: ParseError) -> Self {
        Self::new(400, "PGRST100", error.message).details(error.details)
    }
}
