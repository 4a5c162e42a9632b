//! Behalf hosts agent tools that act on behalf of the calling user, down to row-level security.
//!
//! Rooms, from the ground up; each imports only lower ones (`tests/all/floors.rs` holds it):
//! `config` and `telemetry` import no room; `identity` turns tokens into principals; `models` talks to chat models; `db`
//! is the only way to Postgres; `sandbox` runs components; `tools` knows which exist and calls them; `agents` lets a
//! model call tools; `http` is the outside. ARCHITECTURE.md has the map and the promises.

pub mod agents;
pub mod app;
pub mod cli;
pub mod config;
pub mod db;
pub mod http;
pub mod identity;
pub mod models;
pub mod postgres;
pub mod sandbox;
pub mod telemetry;
pub mod tools;
