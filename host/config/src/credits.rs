//! Choices about credits.

use serde::{Deserialize, Serialize};

/// Whether credits are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CreditsMode {
    /// No. Usage is counted.
    #[default]
    Off,
    /// Successful work is charged, and nothing is refused.
    Record,
    /// Work that an account cannot pay for is refused.
    Enforce,
}

/// Whose credits are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CreditsAccount {
    /// Each user's own.
    #[default]
    User,
    /// The project's, shared by all users.
    Project,
}
