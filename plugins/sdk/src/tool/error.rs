//! A tool's own failure, and what becomes one.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt;

use crate::bindings::behalf::tool::{database, knowledge, kv, memory, storage};
/// A tool's own failure, as the model will read it.
///
/// `?` makes one of the errors of this crate, of `serde_json`, of parsing numbers, and of boxes of errors; an error of the
/// database keeps its sentence and whether trying again may help. [`Context`] says what was tried when any other error
/// came up.
pub use crate::bindings::exports::behalf::tool::tool::Error;

/// [`core::result::Result`] with a tool's [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// The arguments are wrong in a way the schema cannot say.
    pub fn invalid_arguments(message: impl Into<String>) -> Self {
        Self::new("invalid_arguments", message)
    }

    /// The caller may not do this.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new("denied", message)
    }

    /// It did not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new("failed", message)
    }

    /// Says that the same call may succeed later, unchanged.
    #[must_use]
    pub fn retry_later(self) -> Self {
        Self { retryable: true, ..self }
    }

    fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), retryable: false }
    }

    /// An error of any kind. One of this crate's is found in its box again; of another one the sentence stays, and the
    /// code and the retry of what it came from, where that was one of this crate's.
    fn of(error: &(dyn core::error::Error + 'static)) -> Self {
        if let Some(own) = Self::own(error) {
            return own;
        }
        let source = core::iter::successors(error.source(), |error| error.source()).find_map(Self::own);
        Self { message: error.to_string(), ..source.unwrap_or_else(|| Self::failed("")) }
    }

    fn own(error: &(dyn core::error::Error + 'static)) -> Option<Self> {
        let own = error.downcast_ref::<Self>().cloned();
        let own = own.or_else(|| Some(error.downcast_ref::<database::Error>()?.clone().into()));
        let own = own.or_else(|| Some(error.downcast_ref::<knowledge::Error>()?.clone().into()));
        let own = own.or_else(|| Some(error.downcast_ref::<memory::Error>()?.clone().into()));
        let own = own.or_else(|| Some(error.downcast_ref::<kv::Error>()?.clone().into()));
        #[cfg(feature = "http")]
        let own = own.or_else(|| Some(error.downcast_ref::<crate::http::Error>()?.clone().into()));
        own.or_else(|| Some(error.downcast_ref::<storage::Error>()?.clone().into()))
    }
}

/// Says what was tried when an error came up.
///
/// ```
/// use behalf_sdk::{Context, Error};
///
/// fn parse(text: &str) -> Result<u16, Error> {
///     text.parse::<u16>().with_context(|| format!("\"{text}\" is not a year"))
/// }
///
/// assert_eq!(parse("x").unwrap_err().message, "\"x\" is not a year: invalid digit found in string");
/// ```
pub trait Context<T> {
    /// Puts `message` and a colon before the error's own sentence. An error of the database stays retryable, and a denial
    /// a denial; one that is not this crate's becomes `failed`.
    fn context(self, message: impl fmt::Display) -> Result<T>;

    /// [`context`](Self::context) with a message that is only made for an error.
    fn with_context<M: fmt::Display>(self, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: core::error::Error + 'static> Context<T> for Result<T, E> {
    fn context(self, message: impl fmt::Display) -> Result<T> {
        self.with_context(|| message)
    }

    fn with_context<M: fmt::Display>(self, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|error| {
            let error = Error::of(&error);
            Error { message: format!("{}: {}", message(), error.message), ..error }
        })
    }
}

/// What is not there is an error with the message alone.
impl<T> Context<T> for Option<T> {
    fn context(self, message: impl fmt::Display) -> Result<T> {
        self.with_context(|| message)
    }

    fn with_context<M: fmt::Display>(self, message: impl FnOnce() -> M) -> Result<T> {
        self.ok_or_else(|| Error::failed(message().to_string()))
    }
}

impl From<database::Error> for Error {
    fn from(error: database::Error) -> Self {
        let code = match error.code.as_str() {
            "refused" | "forbidden" | "not_granted" => "denied",
            "invalid" if is_of_statement(error.sqlstate.as_deref()) => "failed",
            "invalid" => "invalid_arguments",
            _ => "failed",
        };
        Self { code: code.to_owned(), message: error.message, retryable: error.retryable }
    }
}

/// Whether the statement is wrong, and not a value that it was given (class 22): the tool wrote the statement, so its caller can mend
/// nothing.
fn is_of_statement(sqlstate: Option<&str>) -> bool {
    sqlstate.is_some_and(|state| !state.starts_with("22"))
}

impl From<knowledge::Error> for Error {
    fn from(error: knowledge::Error) -> Self {
        let code = match error.code.as_str() {
            "not_granted" => "denied",
            "invalid" => "invalid_arguments",
            _ => "failed",
        };
        Self { code: code.to_owned(), message: error.message, retryable: error.retryable }
    }
}

impl From<memory::Error> for Error {
    fn from(error: memory::Error) -> Self {
        let code = match error.code.as_str() {
            "denied" | "not_granted" => "denied",
            "invalid" => "invalid_arguments",
            _ => "failed",
        };
        Self { code: code.to_owned(), message: error.message, retryable: error.retryable }
    }
}

impl From<kv::Error> for Error {
    fn from(error: kv::Error) -> Self {
        let code = match error.code.as_str() {
            "denied" | "not_granted" => "denied",
            "invalid" => "invalid_arguments",
            _ => "failed",
        };
        Self { code: code.to_owned(), message: error.message, retryable: error.retryable }
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        let code = match error.code.as_str() {
            "denied" | "not_granted" => "denied",
            "invalid" => "invalid_arguments",
            _ => "failed",
        };
        Self { code: code.to_owned(), message: error.message, retryable: error.retryable }
    }
}

#[cfg(feature = "http")]
impl From<crate::http::Error> for Error {
    fn from(error: crate::http::Error) -> Self {
        // The address is the tool's, so a wrong one is no fault of the arguments.
        let code = if error.code == "denied" { "denied" } else { "failed" };
        Self { code: code.to_owned(), message: error.message, retryable: error.retryable }
    }
}

impl From<Box<dyn core::error::Error>> for Error {
    fn from(error: Box<dyn core::error::Error>) -> Self {
        Self::of(&*error)
    }
}

impl From<Box<dyn core::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn core::error::Error + Send + Sync>) -> Self {
        Self::of(&*error)
    }
}

#[cfg(feature = "anyhow")]
impl From<anyhow::Error> for Error {
    /// The sentences of the whole chain.
    fn from(error: anyhow::Error) -> Self {
        let sentences: alloc::vec::Vec<_> = error.chain().map(|link| Self::of(link).message).collect();
        Self { message: sentences.join(": "), ..Self::of(error.as_ref()) }
    }
}

/// `?` makes a failure of each.
macro_rules! failures {
    ($($(#[$when:meta])? $error:ty),+ $(,)?) => {
        $(
            $(#[$when])?
            impl From<$error> for Error {
                fn from(error: $error) -> Self {
                    Self::failed(error.to_string())
                }
            }
        )+
    };
}

failures! {
    &str,
    String,
    serde_json::Error,
    fmt::Error,
    core::num::ParseIntError,
    core::num::ParseFloatError,
    core::num::TryFromIntError,
    core::str::ParseBoolError,
    core::str::Utf8Error,
    alloc::string::FromUtf8Error,
    #[cfg(feature = "std")] std::io::Error,
    #[cfg(feature = "chrono")] chrono::ParseError,
    #[cfg(feature = "uuid")] uuid::Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database_error(code: &str) -> database::Error {
        database::Error { code: code.to_owned(), sqlstate: None, message: "Why.".to_owned(), retryable: true }
    }

    #[test]
    fn a_refusal_of_the_database_is_a_denial() {
        for (code, expected) in [("refused", "denied"), ("invalid", "invalid_arguments"), ("something_new", "failed")] {
            let error = Error::from(database_error(code));
            assert_eq!((error.code.as_str(), error.message.as_str(), error.retryable), (expected, "Why.", true));
        }
    }

    #[test]
    fn a_wrong_statement_is_the_tools_fault_and_a_wrong_value_the_callers() {
        for (sqlstate, expected) in [("42703", "failed"), ("08P01", "failed"), ("22P02", "invalid_arguments")] {
            let error = database::Error { sqlstate: Some(sqlstate.to_owned()), ..database_error("invalid") };
            assert_eq!(Error::from(error).code, expected, "{sqlstate}");
        }
    }

    #[test]
    fn context_keeps_what_a_caller_can_act_on() {
        let error = Err::<(), _>(database_error("forbidden")).context("Saving the note").expect_err("an error");
        assert_eq!(error, Error::denied("Saving the note: Why.").retry_later());
        let error = "x".parse::<u8>().context("Reading the year").expect_err("an error");
        assert_eq!(error, Error::failed("Reading the year: invalid digit found in string"));
        assert_eq!(None::<u8>.context("No year.").expect_err("an error"), Error::failed("No year."));
    }

    #[test]
    fn boxes_give_back_what_was_put_in() {
        fn boxed() -> core::result::Result<(), Box<dyn core::error::Error>> {
            Err(database_error("forbidden"))?
        }
        fn text() -> core::result::Result<(), Box<dyn core::error::Error + Send + Sync>> {
            Err("plain")?
        }
        fn through<E: Into<Error>>(from: fn() -> core::result::Result<(), E>) -> Result<()> {
            from().map_err(Into::into)
        }
        assert_eq!(through(boxed), Err(Error::denied("Why.").retry_later()));
        assert_eq!(through(text), Err(Error::failed("plain")));
    }

    #[test]
    fn parse_errors_and_sentences_need_no_conversion() {
        fn tool(text: &str) -> Result<u8> {
            let number = serde_json::from_str::<u8>(text)?;
            if number == 0 { Err("not zero")? } else { Ok(number) }
        }
        assert_eq!(tool("1"), Ok(1));
        assert_eq!(tool("0"), Err(Error::failed("not zero")));
        assert_eq!(tool("x").map_err(|error| error.code), Err("failed".to_owned()));
    }

    #[cfg(feature = "anyhow")]
    #[test]
    fn of_anyhow_the_whole_chain_is_told() {
        let error = anyhow::Error::from(database_error("forbidden")).context("saving").context("a note");
        let error = Error::from(error);
        assert_eq!(error, Error::denied("a note: saving: Why.").retry_later());
    }
}
