//! Classifies the errors of `sqlx` for clients.

use super::{Kind, Problem};

impl Problem for sqlx::Error {
    fn kind(&self) -> Kind {
        match self {
            // Class 22: a value that Postgres has no form for, such as a NUL character within a text.
            Self::Database(refusal) if refusal.code().is_some_and(|code| code.starts_with("22")) => Kind::BadRequest,
            Self::PoolTimedOut | Self::Io(_) => Kind::Unavailable,
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
