//! What a Behalf plugin in Rust is written with.
//!
//! A plugin is a crate of type `cdylib` that implements [`Tool`] for each tool it offers and names them in
//! [`export_tools!`]. Whatever it does to the database it does as the person the call is for: there is no other identity
//! to be had. A component imports only the interfaces whose functions it calls, so its import list says what it could
//! ever do.
//!
//! ```ignore
//! use behalf_sdk::{Error, Tool, database, export_tools};
//!
//! struct CountNotes;
//!
//! impl Tool for CountNotes {
//!     const NAME: &'static str = "count_notes";
//!     const DEFINITION: &'static str = include_str!("count_notes.json");
//!     type Arguments = serde_json::Map<String, serde_json::Value>;
//!     type Output = database::RowSet;
//!
//!     fn call(_arguments: Self::Arguments) -> Result<Self::Output, Error> {
//!         Ok(database::query("select count(*) from notes", &[])?)
//!     }
//! }
//!
//! export_tools!(CountNotes);
//! ```
//!
//! The crate needs no `std`, so that a plugin which does without it (see [`export_lean_tools!`]; the bundled ones do) imports no WASI at all.
#![no_std]

extern crate alloc;

pub mod bindings;
pub mod caller;
pub mod database;
pub mod log;
pub mod progress;
pub mod settings;
mod tool;

pub use tool::{Error, Tool, check_definition, definitions, run, unknown_tool};

/// What [`export_tools!`] expands to needs, in crates with and without `std`.
#[doc(hidden)]
pub mod exported {
    pub use alloc::string::{String, ToString};
}
