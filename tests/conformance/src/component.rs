//! The component under test: what is known of it without a call, and why a host does not take it.

use std::time::Duration;

/// Facts about a component that are known without running it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The path of its file, as commands name it.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub digest: String,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
}

impl Facts {
    pub(crate) fn imports(&self, interface: &str) -> bool {
        self.imports.iter().any(|import| import.starts_with(interface))
    }
}

/// The answers of `definitions`.
#[derive(Clone, Debug)]
pub struct Definitions {
    /// All answers of one instance, in order.
    pub answers: Vec<String>,
    /// The time from the creation of the instance to its first answer.
    pub start: Duration,
    /// The most memory that it had, in bytes.
    pub memory_bytes: usize,
}

/// Why `definitions` gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionsFailure {
    /// The guest used a capability, so the host ended it.
    Capability(String),
    /// The guest crashed or took too long.
    Failed(String),
}

/// Why a host does not accept the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An input schema is not valid.
    InputSchema(String),
    /// An output schema is not valid.
    OutputSchema(String),
    /// The definitions are malformed.
    Definitions(String),
    /// The grants are not valid, or they do not cover what the component imports.
    Grants(String),
}
