//! Classifies errors for clients: [`Kind`] names the kind of failure, [`Problem`] gives the details that a client may
//! see. [`LogText`] is what the log may say of an error, and [`Private`] a text that it may not say. [`nearest`] finds the name that
//! somebody meant.
//!
//! An error type implements [`Problem`] beside its own definition. The crate `behalf-web` alone turns a [`Kind`] into
//! an HTTP status. This crate knows neither HTTP nor any feature.

mod log_text;
mod nearest;
mod private;
mod sql;

use std::time::Duration;

use serde_json::{Map, Value};

pub use log_text::LogText;
pub use nearest::nearest;
pub use private::Private;

/// Every kind of failure that a client can meet. The names are stable: clients read them in the member `type` of a
/// problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request carries no acceptable token.
    Unauthorized,
    /// The caller may not do this at all.
    Forbidden,
    /// The SQL gate or a policy refused a statement of a tool.
    Refused,
    /// The tool needs a capability that its plugin was not granted.
    NotGranted,
    /// The object does not exist, or this caller may not see it.
    NotFound,
    /// The path exists and does not take this method.
    MethodNotAllowed,
    /// The request does not have the documented form.
    BadRequest,
    /// The arguments do not fit the tool's schema.
    InvalidArguments,
    /// The same request is still being processed.
    InProgress,
    /// The request conflicts with something that exists.
    Conflict,
    /// The account has too few credits.
    InsufficientCredits,
    /// The account's credits cannot be read.
    BillingUnreachable,
    /// The request exceeds a rate or concurrency limit.
    TooManyRequests,
    /// The request is well formed but cannot be carried out.
    Unprocessable,
    /// The tool answered with an error of its own.
    ToolError,
    /// The tool's transaction could not be committed.
    NotCommitted,
    /// Nobody knows whether the tool's transaction was committed. The request must not be repeated without a look.
    OutcomeUnknown,
    /// The body is too large.
    TooLarge,
    /// The file has no such part.
    RangeNotSatisfiable,
    /// A service that this host needs cannot be reached.
    Unavailable,
    /// The host already runs as many calls as it may.
    Busy,
    /// The interface knows this, and this host does not do it.
    NotImplemented,
    /// A server that the host called gave no usable answer.
    Upstream,
    /// The tool crashed.
    ToolCrashed,
    /// The call ran past its deadline.
    Deadline,
    /// The call reached its limit of memory, output or calls into the host.
    Limit,
    /// An agent's run failed.
    RunFailed,
    /// The host itself failed. Clients get no details.
    Internal,
}

/// The rate limit that a request exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What was counted, such as `requests of this user`.
    pub limit: &'static str,
    /// How many are allowed: in a minute, or at once.
    pub allowed: u32,
    /// How long the client has to wait.
    pub wait: Duration,
}

impl RateLimit {
    /// Whole seconds to wait, at least one.
    pub fn seconds(&self) -> u64 {
        self.wait.as_secs().saturating_add(u64::from(self.wait.subsec_nanos() > 0)).max(1)
    }
}

impl std::fmt::Display for RateLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "too many {}: {} are allowed; come back in {} s", self.limit, self.allowed, self.seconds())
    }
}

/// An error that can be reported to a client.
pub trait Problem: std::error::Error + Send + Sync + 'static {
    /// The kind of failure.
    fn kind(&self) -> Kind;

    /// One sentence for the client. Ignored for [`Kind::Internal`], whose text could say too much.
    fn detail(&self) -> String {
        self.to_string()
    }

    /// Members of the body beside those of RFC 9457.
    fn members(&self) -> Map<String, Value> {
        Map::new()
    }

    /// The whole body, where clients of the platform expect something other than a problem document.
    fn exact_body(&self) -> Option<Value> {
        None
    }

    /// Whether the request may have changed something before it failed, so that repeating it could do that twice.
    fn had_effects(&self) -> bool {
        false
    }

    /// The exceeded limit, where the kind is [`Kind::TooManyRequests`].
    fn rate_limit(&self) -> Option<RateLimit> {
        None
    }
}
