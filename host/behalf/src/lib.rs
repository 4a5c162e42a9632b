//! The `behalf` program: [`app`] puts the features together, [`cli`] has the commands.
//!
//! The one crate that knows every feature. ARCHITECTURE.md has the map of crates and the promises.

pub mod app;
pub mod cli;
