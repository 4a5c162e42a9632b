//! Reads the changes of published tables from the server's log. Knows no feature, and no user.
//!
//! Whoever reads the log reads every row of every published table: no policy holds there. So this crate is the only one that opens
//! such a session, on a login that has REPLICATION and needs nothing else, and what it hands out is called unjudged ([`Unjudged`]):
//! whoever passes a row on has to ask first, as the one who gets it, whether that one may see it.
//!
//! A replication slot marks how far the log was read, and makes the server keep what is after it. There is one for each database. It
//! is made when somebody wants changes and dropped when nobody does, and whoever reads bounds how much the server keeps for it.

mod decode;
mod reader;
mod slot;

use std::sync::Arc;

use behalf_pgwire::{Target, TargetError, WireError};
use thiserror::Error;

pub use decode::{Cell, Column, Relation};
pub use reader::{Change, Event, Kind, Position, Reader, Unjudged};
pub use slot::SlotState;

/// Why changes cannot be read.
#[derive(Debug, Error)]
pub enum ReplicationError {
    /// The server's log has not what is needed.
    #[error("the server's wal_level is {0}, and reading changes needs logical")]
    WalLevel(String),
    /// The login may not.
    #[error("the login for replication may not read the log: it needs REPLICATION")]
    NotAllowed(#[source] WireError),
    /// The server has no slot left.
    #[error("all of the server's replication slots are taken (max_replication_slots)")]
    NoSlotLeft(#[source] WireError),
    /// Another session reads it.
    #[error("another session reads the replication slot")]
    InUse(#[source] WireError),
    /// The server no longer has what the slot marks, or the slot is gone.
    #[error("the server has thrown away changes that were not read")]
    Lost(#[source] WireError),
    /// There is no publication of this name, or was none when a change was written.
    #[error("the publication does not exist")]
    NoPublication(#[source] WireError),
    /// The server sent something that has another form.
    #[error("the server's stream of changes cannot be read: {0}")]
    Form(&'static str),
    /// The server refused something else, or cannot be reached.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Where changes are read, and of which publication.
#[derive(Clone, Debug)]
pub struct Source {
    target: Target,
    publication: Arc<str>,
}

impl Source {
    /// Reads the address, `postgres://login:password@host:port/database`.
    pub fn parse(address: &str, publication: &str) -> Result<Self, TargetError> {
        Ok(Self { target: Target::parse(address)?, publication: publication.into() })
    }

    /// Opens a session.
    pub async fn open(&self) -> Result<Reader, ReplicationError> {
        Reader::open(&self.target, Arc::clone(&self.publication)).await
    }
}
