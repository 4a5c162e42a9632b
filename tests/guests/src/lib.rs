//! What the guests share. They are written against the generated bindings rather than against the SDK's nicer layer:
//! much of what they try, that layer would not let them.

pub mod store;

pub use behalf_sdk::bindings;
pub use behalf_sdk::bindings::behalf::tool::{
    caller, database, knowledge, kv, log, memory, progress, settings, storage,
};
pub use behalf_sdk::bindings::exports::behalf::tool::tool::{Error, Guest};
pub use serde_json::{Value, json};

/// What a tool answers.
pub type Outcome = Result<Value, Error>;

/// A tool: its name, what it does, and what does it.
pub type Tool = (&'static str, &'static str, fn(&Value) -> Outcome);

/// Exports the component interface for a list of tools.
#[macro_export]
macro_rules! export_guest {
    ($tools:expr) => {
        struct Component;

        impl $crate::Guest for Component {
            fn definitions() -> String {
                $crate::definitions($tools)
            }

            fn call(name: String, arguments: String) -> Result<String, $crate::Error> {
                $crate::call($tools, &name, &arguments)
            }
        }

        $crate::bindings::export_component!(Component with_types_in $crate::bindings);
    };
}

/// Exports the component interface with the given definitions; every call answers `{}`.
#[macro_export]
macro_rules! export_definitions {
    ($definitions:expr) => {
        struct Component;

        impl $crate::Guest for Component {
            fn definitions() -> String {
                $definitions
            }

            fn call(_name: String, _arguments: String) -> Result<String, $crate::Error> {
                Ok(String::from("{}"))
            }
        }

        $crate::bindings::export_component!(Component with_types_in $crate::bindings);
    };
}

/// Definitions that accept any object.
pub fn definitions(tools: &[Tool]) -> String {
    let tools: Vec<_> = tools.iter().map(|(name, about, _)| definition(name, about)).collect();
    Value::Array(tools).to_string()
}

/// One definition that accepts any object.
pub fn definition(name: &str, about: &str) -> Value {
    json!({"name": name, "description": about, "inputSchema": {"type": "object"}})
}

/// Finds the tool and calls it.
pub fn call(tools: &[Tool], name: &str, arguments: &str) -> Result<String, Error> {
    let arguments = serde_json::from_str(arguments).map_err(|error| failed(&error.to_string()))?;
    let (_, _, tool) = tools.iter().find(|tool| tool.0 == name).ok_or_else(|| failed("no such tool"))?;
    tool(&arguments).map(|result| result.to_string())
}

/// A tool's own failure.
pub fn failed(message: &str) -> Error {
    Error { code: String::from("failed"), message: String::from(message), retryable: false }
}

/// An argument that is a number, or the default.
pub fn number(arguments: &Value, name: &str, default: u64) -> u64 {
    arguments[name].as_u64().unwrap_or(default)
}

/// An argument that is a string, or the empty one.
pub fn text<'a>(arguments: &'a Value, name: &str) -> &'a str {
    arguments[name].as_str().unwrap_or_default()
}

/// Never comes back, and does not let the compiler notice.
pub fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}
