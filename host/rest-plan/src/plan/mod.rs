//! A request becomes a plan.

mod allowed;
mod call;
mod negotiate;
mod read;
mod root;
mod shape;
mod write;

use crate::answer::Reply;
use crate::cache::{Ident, SchemaCache};
use crate::error::RestError;
use crate::options::{Options, TxEnd};
use crate::request::media::Media;
use crate::request::prefer::{Preferences, Transaction};
use crate::request::{Method, Request, Target};
use crate::sql::{Sql, Statement};
use crate::syntax::Query;
use crate::tree::range_error;

pub use allowed::{Allowed, allowed};

/// Whether a statement may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may not: `GET`, `HEAD`, and calls of stable and immutable functions.
    Read,
    /// It may.
    Write,
}

/// How the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It takes effect.
    Commit,
    /// It has no effect, so constraints should be set to immediate and checked before it.
    Rollback,
}

/// What a request does: statements in the order of their fields, all in one transaction.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whether the transaction may be read-only.
    pub access: Access,
    /// The exposed schema that the request is for; it is first in the search path.
    pub schema: String,
    /// The time zone that the client prefers; one that the database knows.
    pub time_zone: Option<String>,
    /// Runs before the main statement.
    pub pre_request: Option<Statement>,
    /// Returns exactly one row, unless [`Plan::gives_lines`].
    pub main: Statement,
    /// Estimates the number of rows; its one column goes to [`Plan::answer`].
    pub explain: Option<Statement>,
    /// How the transaction ends.
    pub ends: End,
    /// The kind of the request, its tables and its operators, and never a value.
    pub shape: String,
    pub(crate) reply: Reply,
}

impl Plan {
    /// Whether [`Plan::answer`] can refuse after the row is known, so that the commit has to wait for it.
    pub fn may_refuse(&self) -> bool {
        self.access == Access::Write && (self.reply.may_refuse() || self.main.calls())
    }

    /// Whether functions of the app may have run that change settings of the session: one that was called, one that runs first,
    /// triggers, or those that make and read what is shown.
    pub fn may_change_settings(&self) -> bool {
        self.access == Access::Write || self.pre_request.is_some() || self.reply.calls() || self.main.calls()
    }

    /// Whether the main statement returns lines of text instead of a row: the plan of Postgres. They are joined by line ends
    /// and passed to [`Plan::answer`] as a row of one column.
    pub fn gives_lines(&self) -> bool {
        self.reply.gives_lines()
    }

    pub(crate) fn is_head(&self) -> bool {
        self.reply.head.is_head
    }

    /// Whether the row is for [`crate::openapi()`] and not for [`Plan::answer`].
    pub fn describes(&self) -> bool {
        self.reply.describes()
    }
}

/// What every kind of plan needs.
pub(crate) struct Context<'a> {
    pub(crate) cache: &'a SchemaCache,
    pub(crate) options: &'a Options,
    pub(crate) request: &'a Request<'a>,
    pub(crate) schema: &'a Ident,
    /// Whether the schema was chosen out of several, which the answer says.
    pub(crate) by_profile: bool,
    pub(crate) preferences: Preferences,
    pub(crate) accepted: Vec<Media>,
}

/// Plans a request.
pub fn plan(cache: &SchemaCache, options: &Options, request: &Request<'_>) -> Result<Plan, RestError> {
    let (schema, by_profile) = schema_of(cache, request)?;
    let preferences = Preferences::parse(&request.headers.prefer, options.tx_end.may_be_chosen(), &cache.timezones);
    let accepted = Media::accepted(request.headers.accept);
    let context = Context { cache, options, request, schema, by_profile, preferences, accepted };
    match (request.target, request.method) {
        (Target::Root, Method::Get | Method::Head) => root::plan(&context),
        (Target::Root, method) => Err(RestError::method(method.as_str())),
        (Target::Function(name), Method::Get | Method::Head | Method::Post) => call::plan(&context, name),
        (Target::Function(_), method) => Err(RestError::rpc_method(method.as_str())),
        (Target::Relation(name), Method::Get | Method::Head) => read::plan(&context, name),
        (Target::Relation(name), _) => write::plan(&context, name),
    }
}

/// The schema of a profile, or the default; and whether there was a choice.
fn schema_of<'c>(cache: &'c SchemaCache, request: &Request<'_>) -> Result<(&'c Ident, bool), RestError> {
    let profile =
        if request.method.is_read() { request.headers.accept_profile } else { request.headers.content_profile };
    let found = match profile {
        Some(profile) => cache.schemas.iter().find(|(schema, _)| schema.as_str() == profile),
        None => cache.schemas.first(),
    };
    if let Some((schema, _)) = found {
        return Ok((schema, profile.is_some() || cache.schemas.len() > 1));
    }
    let exposed: Vec<&str> = cache.schemas.iter().map(|(schema, _)| schema.as_str()).collect();
    Err(RestError::schema_profile(profile.unwrap_or_default(), &exposed.join(", ")))
}

impl Context<'_> {
    pub(crate) fn query(&self, arguments: bool) -> Result<Query, RestError> {
        Ok(Query::parse(self.request.query, arguments)?)
    }

    /// The range of the outermost level: of the parameters, and of the header for `GET`.
    pub(crate) fn range(&self, query: &Query) -> Result<crate::request::range::Range, RestError> {
        let last = |list: &[(Vec<String>, i64)]| {
            list.iter().rev().find(|(path, _)| path.is_empty()).map(|(_, number)| *number)
        };
        let range = crate::request::range::Range::of_parameters(last(&query.limits), last(&query.offsets));
        let range = range.map_err(range_error)?;
        match self.request.headers.range {
            Some(header) if self.request.method == Method::Get => range.narrowed(header).map_err(range_error),
            _ => Ok(range),
        }
    }

    pub(crate) fn check_preferences(&self) -> Result<(), RestError> {
        if self.preferences.is_strict() && !self.preferences.invalid.is_empty() {
            return Err(RestError::preferences(&self.preferences.invalid));
        }
        Ok(())
    }

    pub(crate) fn ends(&self) -> End {
        let usual = match self.options.tx_end {
            TxEnd::Commit | TxEnd::CommitAllowOverride => End::Commit,
            TxEnd::Rollback | TxEnd::RollbackAllowOverride => End::Rollback,
        };
        match self.preferences.transaction {
            Some(Transaction::Rollback) => End::Rollback,
            Some(Transaction::Commit) => End::Commit,
            None => usual,
        }
    }

    pub(crate) fn pre_request(&self) -> Result<Option<Statement>, RestError> {
        let Some(hook) = &self.options.pre_request else { return Ok(None) };
        let mut sql = Sql::new();
        sql.push("select ").hook(hook).push("()");
        sql.finish().map(Some)
    }

    /// The schema that the answer names, if there was a choice.
    pub(crate) fn profile(&self) -> Option<String> {
        self.by_profile.then(|| self.schema.to_string())
    }

    /// A plan with what all plans have in common.
    pub(crate) fn plan(
        &self,
        access: Access,
        main: Statement,
        explain: Option<Statement>,
        shape: String,
        reply: Reply,
    ) -> Result<Plan, RestError> {
        Ok(Plan {
            access,
            schema: self.schema.to_string(),
            time_zone: self.preferences.timezone.clone(),
            pre_request: self.pre_request()?,
            main,
            explain,
            ends: self.ends(),
            shape,
            reply,
        })
    }
}
