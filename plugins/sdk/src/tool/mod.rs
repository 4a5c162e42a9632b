//! What a tool is, and what makes a component of tools.

pub(crate) mod callable;
pub(crate) mod check;
#[cfg(feature = "macros")]
pub(crate) mod definition;
mod error;
mod export;
mod finite;
mod offer;

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::{Context, Error, Result};

/// A tool whose definition is written by hand. The attribute `#[tool]` on a function is the shorter way;
/// [`export_tools!`](crate::export_tools) takes both.
pub trait Tool {
    /// Its name: `[a-z][a-z0-9_]{0,63}`, the same as in the definition.
    const NAME: &'static str;

    /// Its definition in the shape of an MCP tool, as JSON text. Kept as text (usually with `include_str!`) because it is
    /// read when the plugin is registered and never during a call.
    const DEFINITION: &'static str;

    /// What the arguments are read into. The host has checked them against the schema; what does not fit all the same is
    /// answered with `invalid_arguments`.
    type Arguments: DeserializeOwned;

    /// What is returned, as JSON.
    type Output: Serialize;

    /// Does the work. An error undoes what the call did to the database.
    fn call(arguments: Self::Arguments) -> core::result::Result<Self::Output, Error>;
}

impl<T: Tool> callable::Callable for T {
    const NAME: &'static str = T::NAME;

    fn definition() -> Cow<'static, str> {
        Cow::Borrowed(T::DEFINITION)
    }

    fn call(arguments: &str) -> core::result::Result<String, Error> {
        callable::run(T::NAME, arguments, T::call)
    }
}

/// The JSON array of the given definitions.
pub fn join_definitions(definitions: &[Cow<'static, str>]) -> String {
    format!("[{}]", definitions.join(","))
}
