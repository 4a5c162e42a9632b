//! Memory: what agents remember of their users. `/api/memories`.
//!
//! Owns the table `ai.memories`, its routes, and the store that guests reach through `behalf:tool/memory`. What is read or deleted for a
//! caller runs as that caller (`CallerDb::run_fixed`), under the policies of the table; what is kept is written in the user's name
//! (`HostDb::begin`). Imports foundations only. Never does: show a memory to anybody but its user; let a user have more memories than
//! one search can read.

mod error;
mod guests;
mod models;
mod routes;
mod state;
mod store;

pub use routes::routes;
pub use state::{Memories, MemoriesParts};
