//! An interface that a component imports.

use serde::Serialize;

/// An interface that a component imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportedInterface {
    /// As in `behalf:tool/database@0.1.0`.
    pub name: String,
    /// Its functions, as far as the component's toolchain names only those it uses.
    pub functions: Vec<String>,
}
