//! A Postgres of our own, for development and tests.
//!
//! Owns: finding the programs, one database cluster per folder, its server process from start to stop.
//! May import: no other room. Never: reads the environment, touches a server it did not make, is used by `serve`.
//!
//! What lies where, below the folder the caller names: `lock` (which host has it), `password` (of the owner role),
//! `port` and `settings` (of the last start), `server.log`, and `data` with the cluster. A host that is root runs the
//! server as another user, because Postgres refuses root; where that user cannot reach the folder, `place` names the
//! one that holds `data` instead.

mod account;
mod binaries;
mod cluster;
mod error;
mod folder;
mod launch;
mod local;
mod lock;
mod log;
mod place;
mod postmaster;
mod programs;
mod session;

pub use error::{StartError, StopError};
pub use local::{LocalOptions, LocalPostgres};

/// The role that owns the cluster and everything in it.
const OWNER: &str = "behalf_owner";
/// The database the host works in.
const DATABASE: &str = "behalf";
