//! A placeholder with the interface of the planner: it plans `GET` of a whole relation and nothing else.

#![allow(clippy::result_large_err, reason = "a placeholder")]

use std::borrow::Cow;

use serde_json::Value;

/// What the planner knows of the database.
#[derive(Debug)]
pub struct SchemaCache {
    relations: Vec<(String, String)>,
    bytes: usize,
}

impl SchemaCache {
    /// The statement that reads the catalogue.
    pub const QUERY: &'static str = "select coalesce(json_agg(json_build_array(n.nspname, c.relname)), '[]')::text \
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
        where n.nspname = any ($1::text[]) and c.relkind in ('r', 'p', 'v', 'm', 'f') and $2::text[] is not null";

    /// Reads what the statement returned.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self { relations: serde_json::from_slice(json)?, bytes: json.len() })
    }

    /// The value of the header `Allow`.
    pub fn allow(&self, _schema: &str, target: Target<'_>) -> Result<String, RestError> {
        match target {
            Target::Root => Ok("OPTIONS,GET,HEAD".to_owned()),
            _ => Ok("OPTIONS,GET,HEAD,POST".to_owned()),
        }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TxEnd {
    /// It commits.
    #[default]
    Commit,
    /// It commits, unless the request asks otherwise.
    CommitAllowOverride,
    /// It rolls back.
    Rollback,
    /// It rolls back, unless the request asks otherwise.
    RollbackAllowOverride,
}

/// What the root describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenApiMode {
    /// What the caller may use.
    #[default]
    FollowPrivileges,
    /// Everything.
    IgnorePrivileges,
    /// Nothing.
    Disabled,
}

/// The settings.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Most rows of an answer.
    pub max_rows: Option<u64>,
    /// A function to run first.
    pub pre_request: Option<String>,
    /// How transactions end.
    pub tx_end: TxEnd,
    /// Whether aggregates may be used.
    pub aggregates: bool,
    /// Whether plans may be asked for.
    pub plan: bool,
    /// What the root describes.
    pub openapi: OpenApiMode,
    /// Exposed schemas.
    pub schemas: Vec<String>,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PATCH
    Patch,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The root.
    Root,
    /// A table or view.
    Relation(&'a str),
    /// A function.
    Function(&'a str),
}

/// The headers that matter.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a> {
    /// `Accept`
    pub accept: Option<&'a str>,
    /// `Content-Type`
    pub content_type: Option<&'a str>,
    /// Every `Prefer`
    pub prefer: Vec<&'a str>,
    /// `Range`
    pub range: Option<&'a str>,
    /// `Range-Unit`
    pub range_unit: Option<&'a str>,
    /// `Accept-Profile`
    pub accept_profile: Option<&'a str>,
    /// `Content-Profile`
    pub content_profile: Option<&'a str>,
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: Method,
    /// What it is about.
    pub target: Target<'a>,
    /// The raw query.
    pub query: &'a str,
    /// Its headers.
    pub headers: Headers<'a>,
    /// Its body.
    pub body: &'a [u8],
}

/// Whether a plan writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads.
    Read,
    /// It may write.
    Write,
}

/// How a plan's transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It commits.
    Commit,
    /// It rolls back.
    Rollback,
}

/// A statement that only this crate can make.
#[derive(Debug)]
pub struct Statement {
    text: String,
    params: Vec<Option<Cow<'static, [u8]>>>,
}

impl Statement {
    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its parameters in text format.
    pub fn params(&self) -> &[Option<Cow<'static, [u8]>>] {
        &self.params
    }
}

/// What is to be run.
#[derive(Debug)]
pub struct Plan {
    /// Whether it writes.
    pub access: Access,
    /// What runs first.
    pub pre_request: Option<Statement>,
    /// What answers.
    pub main: Statement,
    /// What the server is asked of its plan.
    pub explain: Option<Statement>,
    /// How it ends.
    pub ends: End,
    /// The schema that comes first in the search path.
    pub schema: String,
    /// For the audit log.
    pub shape: String,
}

/// Plans a request.
pub fn plan(cache: &SchemaCache, options: &Options, request: &Request<'_>) -> Result<Plan, RestError> {
    let schema = options.schemas.first().map_or("public", String::as_str);
    match request.target {
        Target::Relation(name) if cache.relations.iter().any(|(s, n)| s == schema && n == name) => Ok(Plan {
            access: Access::Read,
            pre_request: None,
            main: Statement {
                text: format!(
                    "select null::bigint, count(*), coalesce(json_agg(t), '[]')::text, null, \
                     current_setting('response.headers', true), current_setting('response.status', true) \
                     from (select * from \"{}\".\"{}\") t",
                    schema.replace('"', "\"\""),
                    name.replace('"', "\"\"")
                ),
                params: Vec::new(),
            },
            explain: None,
            ends: End::Commit,
            schema: schema.to_owned(),
            shape: format!("get {name}"),
        }),
        _ => Err(RestError::new(404, "PGRST205", "Could not find the table in the schema cache")),
    }
}

impl Plan {
    /// Reads the row of the main statement.
    pub fn answer(&self, row: &[Option<&[u8]>], _explain: Option<&str>) -> Result<Answer, RestError> {
        let _ = row;
        Ok(Answer {
            status: 200,
            headers: vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())],
            body: Body::Column(2),
        })
    }

    /// Whether `answer` can refuse after the row is known.
    pub fn may_refuse(&self) -> bool {
        false
    }
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// None.
    Empty,
    /// A column of the row.
    Column(usize),
    /// A text of its own.
    Owned(Vec<u8>),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// An error of the server's.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseError<'a> {
    /// SQLSTATE.
    pub code: &'a str,
    /// The message.
    pub message: &'a str,
    /// The detail.
    pub detail: Option<&'a str>,
    /// The hint.
    pub hint: Option<&'a str>,
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub struct RestError {
    /// The status.
    pub status: u16,
    /// The code.
    pub code: Cow<'static, str>,
    /// The message.
    pub message: String,
    /// The details.
    pub details: Option<Value>,
    /// The hint.
    pub hint: Option<Value>,
    /// Headers of the answer.
    pub headers: Vec<(String, String)>,
}

impl RestError {
    /// An error without details.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let code = Cow::Borrowed(code);
        Self { status, code, message: message.into(), details: None, hint: None, headers: Vec::new() }
    }

    /// The error of a statement that the server refused.
    pub fn from_database(error: &DatabaseError<'_>, _is_anonymous: bool) -> Self {
        Self {
            status: 400,
            code: error.code.to_owned().into(),
            message: error.message.to_owned(),
            details: error.detail.map(Value::from),
            hint: error.hint.map(Value::from),
            headers: Vec::new(),
        }
    }
}
