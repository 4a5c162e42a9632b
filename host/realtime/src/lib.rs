//! Realtime: channels over websockets as Supabase's clients know them. `/realtime/v1`.
//!
//! Owns the schema `realtime` and the tables `behalf.realtime_…`, the sockets of this host and what is sent to them. Who may join a
//! private channel is asked as the caller (`rights`); which changes of tables a subscriber sees is asked as the subscriber
//! (`changes`). Nothing that must last is in memory: stored messages are in `realtime.messages`, and hosts hear of each other's
//! messages through the database (`bus`). Imports foundations only.

mod bus;
mod changes;
mod channel;
mod error;
mod event;
mod hosts;
mod limits;
mod messages;
mod options;
mod presence;
mod protocol;
mod rights;
mod room;
mod rooms;
mod routes;
mod socket;
mod state;

pub use messages::keep_messages;
pub use options::RealtimeOptions;
pub use routes::{elsewhere, routes};
pub use state::{Realtime, RealtimeParts};
