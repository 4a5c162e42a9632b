//! A local Postgres server for development and tests, which `behalf dev` starts and stops.
//!
//! This crate finds the programs of Postgres, makes one database cluster per folder, and controls its server process.
//! It never reads the environment and never touches a server that it did not make.
//!
//! The folder that the caller names contains: `lock` (the host that uses it), `password` (of the owner role), `port`
//! and `settings` (of the last start), `server.log`, and `data`, the cluster. A host that is root runs the server as
//! another user, because Postgres refuses root. If that user cannot enter the folder, `data` is in another folder,
//! which the file `place` names.

mod account;
mod binaries;
mod cluster;
mod error;
mod folder;
mod launch;
mod layout;
mod limiter;
mod local;
mod lock;
mod log;
mod postmaster;
mod programs;
mod session;

pub use error::{StartError, StopError};
pub use limiter::SessionLimiter;
pub use local::{LocalOptions, LocalPostgres};

/// The role that owns the cluster and everything in it.
const OWNER: &str = "behalf_owner";
/// The database the host works in.
const DATABASE: &str = "behalf";
