//! Why settings cannot be used.

use std::path::PathBuf;

use behalf_problem::nearest;
use thiserror::Error;

use crate::part;

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file exists and cannot be read.
    #[error("cannot read {0}; check its permissions")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not TOML.
    #[error("{0} is not TOML: {1}")]
    Toml(PathBuf, String),
    /// The setting does not exist.
    #[error("BEHALF_{name} is no setting{}; docs/settings.md lists every setting", .meant.as_ref().map(|meant| format!(", and may be meant to be BEHALF_{meant}")).unwrap_or_default())]
    Unknown {
        /// The name, in capitals, as in the environment.
        name: String,
        /// The setting that is probably meant.
        meant: Option<String>,
    },
    /// A value does not fit.
    #[error("settings: {0}; docs/settings.md lists every setting")]
    Value(String),
    /// A setting that the command needs is missing.
    #[error("BEHALF_{0} is not set; {1}")]
    Missing(&'static str, &'static str),
}

/// Why a part of the settings cannot be read.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn wrong(error: figment::Error) -> ConfigError {
    let figment::error::Kind::UnknownField(name, known) = &error.kind else {
        return ConfigError::Value(error.to_string());
    };
    let meant = nearest(name, part::names().chain(known.iter().copied()));
    ConfigError::Unknown { name: name.to_uppercase(), meant: meant.map(str::to_uppercase) }
}
