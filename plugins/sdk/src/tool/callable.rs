//! What `export_tools!` calls, however the tool was written.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;
use super::finite::check_finite;

/// A tool behind its name: text in, text out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    label = "not a tool",
    note = "write `#[tool]` above a function and name the function here, or implement `behalf_sdk::Tool`"
)]
pub trait Callable {
    /// Its name.
    const NAME: &'static str;

    /// Its definition as JSON text. Made when the plugin is registered, without any capability.
    fn definition() -> Cow<'static, str>;

    /// Calls it with arguments and result as JSON text.
    fn call(arguments: &str) -> Result<String, Error>;
}

/// What a tool's function returns.
#[diagnostic::on_unimplemented(
    message = "a tool returns `Result<Output, Error>`, and `{Self}` is no such result",
    label = "return a `Result` whose error is `behalf_sdk::Error` or converts into it"
)]
pub trait Outcome {
    /// What it answers where all went well.
    type Output: Serialize;

    /// The answer, or the error as the host takes it.
    fn into_result(self) -> Result<Self::Output, Error>;
}

impl<T: Serialize, E: Into<Error>> Outcome for Result<T, E> {
    type Output = T;

    fn into_result(self) -> Result<T, Error> {
        self.map_err(Into::into)
    }
}

/// The arguments of a tool that takes none.
#[derive(Deserialize)]
#[cfg_attr(feature = "macros", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// Calls `tool` with arguments and result as JSON text.
pub fn run<A, O>(name: &str, arguments: &str, tool: impl FnOnce(A) -> O) -> Result<String, Error>
where
    A: DeserializeOwned,
    O: Outcome,
{
    // To serde a list is a struct as well, in the order of its fields.
    if !arguments.trim_start().starts_with('{') {
        return Err(Error::invalid_arguments(format!("The arguments of {name} are no JSON object.")));
    }
    let arguments = serde_json::from_str(arguments)
        .map_err(|error| Error::invalid_arguments(format!("The arguments of {name} do not fit: {error}")))?;
    let output = tool(arguments).into_result()?;
    written(&format!("The result of {name}"), &output)
}

/// A value as JSON text; `what` it is begins the sentence of an error.
pub(crate) fn written(what: &str, value: &(impl Serialize + ?Sized)) -> Result<String, Error> {
    let unwritten = |error: &dyn Display| Error::failed(format!("{what} cannot be written as JSON: {error}"));
    check_finite(value).map_err(|error| unwritten(&error))?;
    serde_json::to_string(value).map_err(|error| unwritten(&error))
}

/// The answer to a name that the plugin does not define.
pub fn unknown_tool(name: &str) -> Error {
    Error::invalid_arguments(format!("This plugin has no tool \"{name}\"."))
}
