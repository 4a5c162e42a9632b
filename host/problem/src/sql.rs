//! Classifies the errors of `sqlx` for clients.

use super::{Kind, Problem};

impl Problem for sqlx::Error {
    fn kind(&self) -> Kind {
        match self {
            // Class 22: a value that Postgres has no form for, such as a NUL character within a text.
            Self::Database(refusal) if refusal.code().is_some_and(|code| code.starts_with("22")) => Kind::BadRequest,
            Self::Database(refusal) if refusal.code().is_some_and(|code| is_away(&code)) => Kind::Unavailable,
            Self::PoolTimedOut | Self::PoolClosed | Self::WorkerCrashed | Self::Io(_) => Kind::Unavailable,
            _ => Kind::Internal,
        }
    }

    fn detail(&self) -> String {
        match self.kind() {
            Kind::BadRequest => "the request holds a value that cannot be stored, such as a NUL character".to_owned(),
            _ => "the database cannot be reached right now".to_owned(),
        }
    }
}

/// Whether a SQLSTATE says that the server is not there for anybody now: its connections (class 08), its resources (53), an operator
/// who stops or starts it (57P) or the system below it (58), <https://www.postgresql.org/docs/16/errcodes-appendix.html>.
fn is_away(code: &str) -> bool {
    ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class))
}
