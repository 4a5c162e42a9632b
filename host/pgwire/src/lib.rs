//! A small client of the Postgres protocol (version 3) for statements that came from a guest.
//!
//! docs/adr/0003-tool-path-driver.md says why no existing driver is used. In short, guests need three things at once:
//! BEGIN, identity and statement under one Sync message, so that nothing runs if setting the identity failed;
//! parameters and results in text format, so that every type of the server works; and a limit on the bytes held in
//! memory, per row and per answer. Encoding, decoding and SCRAM come from `postgres-protocol`, the crate under
//! tokio-postgres.

mod conn;
mod error;
mod frame;
mod replication;
mod row;
mod startup;
mod stream;
mod target;

pub use conn::{Answer, Column, Conn, Step, TxStatus};
pub use error::{ServerTexts, WireError};
pub use replication::{Copied, Replication};
pub use row::TextRow;
pub use startup::CancelKey;
pub use target::{Target, TargetError};
