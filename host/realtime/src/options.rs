//! The options of the feature.

use std::time::Duration;

/// How channels are served and bounded. Of the numbers of one caller, of a socket and of a host, 0 means no limit.
#[derive(Clone, Copy, Debug)]
pub struct RealtimeOptions {
    /// Whether channels may be joined that no policy guards.
    pub public_channels: bool,
    /// Sockets that are open at the same time on this host.
    pub sockets: u32,
    /// Sockets of one user, or of one address without a user, that are open at the same time on this host.
    pub sockets_user: u32,
    /// Channels of one socket.
    pub channels: u32,
    /// Joins of one caller in a second.
    pub joins: u32,
    /// Messages that one caller sends in a second.
    pub messages: u32,
    /// Changes of its presence that one caller sends in a second.
    pub presences: u32,
    /// The most bytes of a message's payload.
    pub max_message_bytes: usize,
    /// The most bytes that wait for one socket. One that reads too slowly for this is closed.
    pub max_waiting_bytes: usize,
    /// The most messages that wait for one socket.
    pub max_waiting_messages: usize,
    /// Rights that this host asks the database for at the same time, for all callers together.
    pub rights_at_once: usize,
    /// How long a socket may send nothing at all; clients send a heartbeat every 25 s or so.
    pub idle: Duration,
    /// How long a socket may take nothing while something waits for it.
    pub write_stall: Duration,
    /// How often the tokens of open channels are verified again, for sessions that ended and keys that were withdrawn.
    pub recheck: Duration,
    /// Whether subscribers hear nothing of deleted rows, which no policy can judge.
    pub withhold_deletes: bool,
    /// The most MiB of changes that the server may have to keep until they are read; 0 means any number.
    pub max_wal_mib: u64,
}

impl Default for RealtimeOptions {
    /// Numbers of callers are near those of Supabase's plans; a socket's idle time is upstream's.
    fn default() -> Self {
        Self {
            public_channels: true,
            sockets: 20_000,
            sockets_user: 100,
            channels: 100,
            joins: 100,
            messages: 500,
            presences: 100,
            max_message_bytes: 256 * 1024,
            max_waiting_bytes: 1024 * 1024,
            max_waiting_messages: 1_000,
            rights_at_once: 4,
            idle: Duration::from_mins(1),
            write_stall: Duration::from_secs(10),
            recheck: Duration::from_secs(30),
            withhold_deletes: false,
            max_wal_mib: 1_024,
        }
    }
}
