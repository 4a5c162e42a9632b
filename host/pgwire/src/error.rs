//! The errors of a connection.

use std::io;

use behalf_problem::Private;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;
use thiserror::Error;

/// Longest message of the server that is passed on; the rest is cut off.
const MAX_MESSAGE_CHARS: usize = 500;

/// Why a statement or its connection failed.
#[derive(Debug, Error)]
pub enum WireError {
    /// The server answered with an error; the connection can still be used.
    #[error("the server refused the statement (SQLSTATE {code})")]
    Server {
        /// SQLSTATE.
        code: String,
        /// The primary message, which may quote values. Detail and hint are dropped: a detail quotes rows that the caller
        /// may not see.
        message: Private,
    },
    /// The server let nobody in. It has seen no value yet, so its message is shown.
    #[error("{message} (SQLSTATE {code})")]
    NotLoggedIn {
        /// SQLSTATE.
        code: String,
        /// The server's message.
        message: String,
    },
    /// The connection broke.
    #[error("the connection to the database broke")]
    Io(#[from] io::Error),
    /// The server sent an unexpected message; the connection cannot be used any more.
    #[error("the connection to the database cannot be used: {0}")]
    Protocol(&'static str),
    /// The server asks for an authentication method that is not supported.
    #[error("the server wants {0} to log in; use scram-sha-256")]
    Authentication(&'static str),
}

impl WireError {
    /// Reads an `ErrorResponse` to a statement.
    pub(super) fn of_statement(fields: ErrorFields<'_>) -> Self {
        let (code, message) = read(fields);
        Self::Server { code, message: message.into() }
    }

    /// Reads an `ErrorResponse` to a log-in.
    pub(super) fn of_log_in(fields: ErrorFields<'_>) -> Self {
        let (code, message) = read(fields);
        Self::NotLoggedIn { code, message }
    }

    /// The SQLSTATE, where the server gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server { code, .. } | Self::NotLoggedIn { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// SQLSTATE and primary message.
fn read(mut fields: ErrorFields<'_>) -> (String, String) {
    let (mut code, mut message) = (String::new(), String::new());
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes());
        match field.type_() {
            b'C' => code = value.into_owned(),
            b'M' => message = value.chars().take(MAX_MESSAGE_CHARS).collect(),
            _ => {}
        }
    }
    (code, message)
}
