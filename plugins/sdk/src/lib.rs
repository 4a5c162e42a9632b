//! Write tools for the Behalf agent host.
//!
//! A plugin is a crate of type `cdylib`, compiled for `wasm32-wasip2`. Its tools are functions with the attribute
//! [`tool`](macro@tool), named in [`export_tools!`]:
//!
#![cfg_attr(feature = "macros", doc = "```")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
//! use behalf_sdk::{Error, database, tool};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Arguments {
//!     /// Words to look for.
//!     search: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Found {
//!     notes: Vec<Note>,
//! }
//!
//! #[derive(Deserialize, Serialize, JsonSchema)]
//! struct Note {
//!     id: String,
//!     title: String,
//! }
//!
//! /// Finds notes of the current user by words in their title.
//! #[tool(title = "Find notes", read_only, idempotent)]
//! fn find_notes(arguments: Arguments) -> Result<Found, Error> {
//!     let notes = database::query_as(
//!         "select id, title from public.notes where position(lower($1) in lower(title)) > 0 order by created_at desc",
//!         behalf_sdk::params![arguments.search],
//!     )?;
//!     Ok(Found { notes })
//! }
//!
//! behalf_sdk::export_tools!(find_notes);
//! # fn main() {
//! # let host = behalf_sdk::mock::Host::new();
//! # host.answer("from public.notes", serde_json::json!([{"id": "1", "title": "Garden"}]));
//! # assert_eq!(find_notes(Arguments { search: "gar".into() }).unwrap().notes[0].title, "Garden");
//! # }
//! ```
//!
//! The statement names no user: it runs under the caller's role and claims, and row-level security leaves the caller's
//! rows. There is no other identity to be had. An error that leaves the tool undoes what the call did; a panic does too,
//! and is written to the log.
//!
//! A component imports only the interfaces whose functions it calls, so its import list says what it could ever do.
//!
//! # Tests
//!
//! A tool is a plain function: `cargo test` calls it, without WebAssembly, and [`mock::Host`] plays the host.
//!
//! # What does not compile
//!
//! The types of a tool need a schema and a way from and to JSON:
//!
//! ```compile_fail
//! #[derive(serde::Deserialize)]
//! struct Arguments {} // no JsonSchema
//!
//! /// Does nothing.
//! #[behalf_sdk::tool]
//! fn nothing(arguments: Arguments) -> Result<(), behalf_sdk::Error> {
//!     Ok(())
//! }
//! ```
//!
//! A tool returns a `Result`, whose error is [`Error`] or converts into it:
//!
//! ```compile_fail
//! /// Does nothing.
//! #[behalf_sdk::tool]
//! fn nothing() -> u8 {
//!     0
//! }
//! ```
//!
//! What is exported is a tool:
//!
//! ```compile_fail
//! struct NoTool;
//! behalf_sdk::export_tools!(NoTool);
//! # fn main() {}
//! ```
//!
//! # Without `std`
//!
//! This crate needs no `std`. A plugin that does without it as well exports its tools with [`export_lean_tools!`] and gets
//! a component that imports no WASI at all, and is smaller.
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `macros` (default) | the attribute [`tool`](macro@tool), with schemas from types through `schemars` |
//! | `std` | `?` on `std::io::Error`; not with [`export_lean_tools!`] |
//! | `http` | requests to granted hosts: the module `http` |
//! | `tracing` | log lines through `tracing`'s macros; brings `std` |
//! | `anyhow` | `?` on anyhow's errors |
//! | `chrono`, `uuid` | parameters of these crates' types, and `?` on their errors |
#![no_std]

extern crate alloc;
// What the macros write is tried in this crate too.
extern crate self as behalf_sdk;
// On wasm it would bring a panic handler and WASI into components that want neither.
#[cfg(any(feature = "std", not(target_family = "wasm")))]
extern crate std;

pub mod bindings;
pub mod caller;
mod content;
pub mod database;
mod door;
#[cfg(feature = "http")]
pub mod http;
pub mod knowledge;
pub mod kv;
pub mod log;
pub mod memory;
#[cfg(not(target_family = "wasm"))]
pub mod mock;
pub mod progress;
pub mod settings;
pub mod storage;
mod tool;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "macros")]
pub use behalf_sdk_macros::tool;
pub use content::Content;
#[cfg(feature = "macros")]
pub use schemars;
pub use tool::{Context, Error, Result, Tool};

/// What the macros expand to needs, in crates with and without `std`. Not for others: it changes without notice.
#[doc(hidden)]
pub mod exported {
    pub use alloc::borrow::Cow;
    pub use alloc::string::{String, ToString};

    pub use crate::tool::callable::{Callable, NoArguments, Outcome, run, unknown_tool};
    pub use crate::tool::check::check_definitions;
    #[cfg(feature = "macros")]
    pub use crate::tool::definition::{Annotations, Definition, Resource};
    pub use crate::tool::join_definitions;
    #[cfg(feature = "tracing")]
    pub use crate::tracing::install as install_subscriber;

    /// There is no subscriber to install.
    #[cfg(not(feature = "tracing"))]
    pub fn install_subscriber() {}
}
