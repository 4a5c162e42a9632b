//! For how many days the host keeps what would grow without end. They are read by themselves, as the settings of `/auth/v1` are.

use serde::Deserialize;

/// The names of these settings.
pub(super) const NAMES: [&str; 8] = [
    "retention_events",
    "retention_audit",
    "retention_runs",
    "retention_usage",
    "retention_idempotency",
    "retention_compiled",
    "retention_workspaces",
    "retention_jobs",
];

/// Days. 0 means for ever, but for answers of idempotent requests, which are kept for a day at least.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// The pieces in which the answers of ended runs arrived.
    #[serde(default = "default_events")]
    pub retention_events: u32,
    /// Rows of the audit log: calls of tools, and everything else.
    #[serde(default = "default_audit")]
    pub retention_audit: u32,
    /// Sessions that nobody used, with their runs.
    #[serde(default)]
    pub retention_runs: u32,
    /// What runs used, a month at least.
    #[serde(default)]
    pub retention_usage: u32,
    /// Answers of requests with an `Idempotency-Key`.
    #[serde(default = "default_idempotency")]
    pub retention_idempotency: u32,
    /// Compiled code in the state folder that no plugin of this host uses.
    #[serde(default = "default_compiled")]
    pub retention_compiled: u32,
    /// Workspaces of users and sessions in the state folder that no call opened.
    #[serde(default)]
    pub retention_workspaces: u32,
    /// Jobs that failed for good or were cancelled.
    #[serde(default = "default_jobs")]
    pub retention_jobs: u32,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            retention_events: default_events(),
            retention_audit: default_audit(),
            retention_runs: 0,
            retention_usage: 0,
            retention_idempotency: default_idempotency(),
            retention_compiled: default_compiled(),
            retention_workspaces: 0,
            retention_jobs: default_jobs(),
        }
    }
}

/// Whoever reads a stream again does it within hours.
fn default_events() -> u32 {
    30
}
/// What most rules on audit logs ask for.
fn default_audit() -> u32 {
    365
}
fn default_idempotency() -> u32 {
    1
}
/// It can be compiled again.
fn default_compiled() -> u32 {
    30
}
fn default_jobs() -> u32 {
    7
}
