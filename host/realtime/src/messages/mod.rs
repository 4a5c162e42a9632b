//! Stored messages: the rows of `realtime.messages`. What a caller reads and stores of them is read and stored as that caller; the
//! tables of days are made and dropped by the host's own work. Publishing what was stored is the bus's.

mod days;
mod replay;
mod store;

pub use days::keep_messages;
pub(crate) use replay::replay;
pub(crate) use store::store;
