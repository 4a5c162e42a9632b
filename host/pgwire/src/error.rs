//! The errors of a connection.

use std::io;

use behalf_problem::Private;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;
use thiserror::Error;

/// Longest message of the server that is passed on; the rest is cut off.
const MAX_MESSAGE_CHARS: usize = 500;

/// The same for each text of [`ServerTexts`].
const MAX_APP_CHARS: usize = 16_000;

/// Why a statement or its connection failed.
#[derive(Debug, Error)]
pub enum WireError {
    /// The server answered with an error; the connection can still be used.
    #[error("the server refused the statement (SQLSTATE {code})")]
    Server {
        /// SQLSTATE.
        code: String,
        /// The primary message, which may quote values.
        message: Private,
        /// The rest of what the server said.
        texts: Box<ServerTexts>,
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

/// What the server said of a failure beside its code and the beginning of its message. A detail can quote rows, so tools get
/// none of it: it is for an app whose own requests made the statement, and in part for the author of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTexts {
    message: Private,
    detail: Option<Private>,
    hint: Option<Private>,
    position: Option<usize>,
}

impl ServerTexts {
    /// The message, the detail and the hint, for the app.
    pub fn for_app(&self) -> (&str, Option<&str>, Option<&str>) {
        (
            self.message.for_caller(),
            self.detail.as_ref().map(Private::for_caller),
            self.hint.as_ref().map(Private::for_caller),
        )
    }

    /// The hint, and the character of the statement at which the server found the fault, the first one being 1: for the record of
    /// a call and the terminal of its author.
    pub fn for_author(&self) -> (Option<&Private>, Option<usize>) {
        (self.hint.as_ref(), self.position)
    }
}

impl WireError {
    /// Reads an `ErrorResponse` to a statement.
    pub(super) fn of_statement(fields: ErrorFields<'_>) -> Self {
        let Fields { code, message, detail, hint, position } = read(fields);
        let short: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
        let (detail, hint) = (detail.map(Into::into), hint.map(Into::into));
        let texts = ServerTexts { message: message.into(), detail, hint, position };
        Self::Server { code, message: short.into(), texts: Box::new(texts) }
    }

    /// Reads an `ErrorResponse` to a log-in.
    pub(super) fn of_log_in(fields: ErrorFields<'_>) -> Self {
        let Fields { code, message, .. } = read(fields);
        Self::NotLoggedIn { code, message: message.chars().take(MAX_MESSAGE_CHARS).collect() }
    }

    /// The SQLSTATE, where the server gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server { code, .. } | Self::NotLoggedIn { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether a prepared statement is out of date: what it names changed, or it is gone, as after `DEALLOCATE ALL`. Nothing of it
    /// was done, so it can be prepared and sent again.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Server { code, message, .. }
            if code == "26000" || (code == "0A000" && message.starts_with("cached plan")))
    }
}

/// What is read of an `ErrorResponse`.
#[derive(Default)]
struct Fields {
    code: String,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    position: Option<usize>,
}

fn read(mut fields: ErrorFields<'_>) -> Fields {
    let mut read = Fields::default();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes());
        let cut = || value.chars().take(MAX_APP_CHARS).collect();
        match field.type_() {
            b'C' => read.code = value.into_owned(),
            b'M' => read.message = cut(),
            b'D' => read.detail = Some(cut()),
            b'H' => read.hint = Some(cut()),
            b'P' => read.position = value.parse().ok(),
            _ => {}
        }
    }
    read
}
