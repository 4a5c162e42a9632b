//! How a host is operated: how it stops, and how much compiled code it keeps. These settings are read by themselves, as those of `/auth/v1` are.

use serde::Deserialize;

/// The names of these settings.
pub(super) const NAMES: [&str; 2] = ["drain_seconds", "compiled_max_mib"];

/// How a host is operated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationsSettings {
    /// For how many seconds a host that is to stop answers requests while `/readyz` says that it is not ready.
    #[serde(default = "default_drain_seconds")]
    pub drain_seconds: u64,
    /// MiB that all compiled code in a folder may have together; 0 means no limit.
    #[serde(default = "default_compiled_max_mib")]
    pub compiled_max_mib: u64,
}

impl Default for OperationsSettings {
    fn default() -> Self {
        Self { drain_seconds: default_drain_seconds(), compiled_max_mib: default_compiled_max_mib() }
    }
}

/// Time for a balancer that asks every two seconds and believes the second refusal. Together with what is under way it stays within
/// the ten seconds that container engines give before they kill.
fn default_drain_seconds() -> u64 {
    5
}

/// Some fifty plugins in Python, which are the largest, and hundreds in other languages.
fn default_compiled_max_mib() -> u64 {
    4096
}
