//! A small client of the Postgres protocol (version 3) for statements that came from a guest.
//!
//! Why not a driver from the shelf: docs/adr/0003-tool-path-driver.md. In short, guests need three things at once: begin,
//! identity and statement under one Sync, so that nothing runs when the identity was not taken; parameters and results in
//! text format, so that every type of the server works; and a bound on what is read into memory, per row and per answer.
//! Encoding, decoding and SCRAM come from `postgres-protocol`, the crate under tokio-postgres.

mod conn;
mod error;
mod frame;
mod startup;
mod stream;
mod target;

pub(super) use conn::{Answer, Conn, Step, TxStatus};
pub use error::WireError;
pub use target::{Target, TargetError};
