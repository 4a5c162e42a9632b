//! How a host is operated: how it stops. These settings are read by themselves, as those of `/auth/v1` are.

use serde::Deserialize;

/// The names of these settings.
pub(super) const NAMES: [&str; 1] = ["drain_seconds"];

/// How a host is operated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationsSettings {
    /// For how many seconds a host that is to stop answers requests while `/readyz` says that it is not ready.
    #[serde(default = "default_drain_seconds")]
    pub drain_seconds: u64,
}

impl Default for OperationsSettings {
    fn default() -> Self {
        Self { drain_seconds: default_drain_seconds() }
    }
}

/// Time for a balancer that asks every two seconds and believes the second refusal. Together with what is under way it stays within
/// the ten seconds that container engines give before they kill.
fn default_drain_seconds() -> u64 {
    5
}
