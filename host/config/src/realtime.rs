//! The settings of `/realtime/v1`. They are read by themselves, as those of `/auth/v1` are.

use serde::Deserialize;

use super::{Face, Secret};

/// The names of these settings.
pub(super) const NAMES: [&str; 14] = [
    "realtime",
    "replication_database_url",
    "realtime_public_channels",
    "realtime_withhold_deletes",
    "realtime_max_wal_mib",
    "realtime_messages_days",
    "realtime_sockets",
    "realtime_sockets_user",
    "realtime_channels",
    "realtime_joins",
    "realtime_messages",
    "realtime_presences",
    "realtime_max_message_bytes",
    "realtime_max_waiting_bytes",
];

/// The settings of `/realtime/v1`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealtimeSettings {
    /// Whether channels are served here, or the address where they are.
    #[serde(default, rename = "realtime")]
    pub face: Face,
    /// Address of the database with a login that has REPLICATION. It reads the changes of every table.
    pub replication_database_url: Option<Secret>,
    /// Whether channels may be joined that no policy guards.
    #[serde(default = "yes")]
    pub realtime_public_channels: bool,
    /// Whether subscribers hear nothing of deleted rows, which no policy can judge.
    #[serde(default)]
    pub realtime_withhold_deletes: bool,
    /// The most MiB of changes that the server may have to keep until they are read; 0 means any number.
    #[serde(default = "default_max_wal_mib")]
    pub realtime_max_wal_mib: u64,
    /// Days for which messages stay in `realtime.messages`, one at least.
    #[serde(default = "default_messages_days")]
    pub realtime_messages_days: u32,
    /// Sockets that are open at the same time on this host. Here and in the next five settings, 0 means no limit.
    #[serde(default = "default_sockets")]
    pub realtime_sockets: u32,
    /// Sockets of one user, or of one address without a user, that are open at the same time on this host.
    #[serde(default = "default_sockets_user")]
    pub realtime_sockets_user: u32,
    /// Channels of one socket.
    #[serde(default = "default_channels")]
    pub realtime_channels: u32,
    /// Joins of one user in a second.
    #[serde(default = "default_joins")]
    pub realtime_joins: u32,
    /// Messages that one user sends in a second.
    #[serde(default = "default_messages")]
    pub realtime_messages: u32,
    /// Changes of its presence that one user sends in a second.
    #[serde(default = "default_presences")]
    pub realtime_presences: u32,
    /// The most bytes of a message's payload.
    #[serde(default = "default_max_message_bytes")]
    pub realtime_max_message_bytes: usize,
    /// The most bytes that wait for a socket; one that reads too slowly for this is closed.
    #[serde(default = "default_max_waiting_bytes")]
    pub realtime_max_waiting_bytes: usize,
}

impl Default for RealtimeSettings {
    fn default() -> Self {
        Self {
            face: Face::On,
            replication_database_url: None,
            realtime_public_channels: yes(),
            realtime_withhold_deletes: false,
            realtime_max_wal_mib: default_max_wal_mib(),
            realtime_messages_days: default_messages_days(),
            realtime_sockets: default_sockets(),
            realtime_sockets_user: default_sockets_user(),
            realtime_channels: default_channels(),
            realtime_joins: default_joins(),
            realtime_messages: default_messages(),
            realtime_presences: default_presences(),
            realtime_max_message_bytes: default_max_message_bytes(),
            realtime_max_waiting_bytes: default_max_waiting_bytes(),
        }
    }
}

fn yes() -> bool {
    true
}
/// Changes of minutes on a busy database.
fn default_max_wal_mib() -> u64 {
    1_024
}
/// As Supabase's servers.
fn default_messages_days() -> u32 {
    3
}
/// With 20 KiB each, less than half a GiB.
fn default_sockets() -> u32 {
    20_000
}
fn default_sockets_user() -> u32 {
    100
}
/// As Supabase's servers.
fn default_channels() -> u32 {
    100
}
fn default_joins() -> u32 {
    100
}
fn default_messages() -> u32 {
    500
}
fn default_presences() -> u32 {
    100
}
/// Between what Supabase's plans allow, 256 KB and 3,000 KB.
fn default_max_message_bytes() -> usize {
    1024 * 1024
}
/// Some of the largest messages, and thousands of the usual ones.
fn default_max_waiting_bytes() -> usize {
    4 * 1024 * 1024
}
