//! Whether a part of the platform's interface is served here, and choices of `/rest/v1`.

use serde::{Deserialize, Deserializer};

/// Whether a part of the platform's interface is served here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Face {
    /// It is.
    #[default]
    On,
    /// It is not.
    Off,
    /// It is served at this address.
    At(String),
}

impl Face {
    /// Where it is served instead, if that is known.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::At(address) => Some(address),
            Self::On | Self::Off => None,
        }
    }
}

impl<'de> Deserialize<'de> for Face {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Bool(bool),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Bool(true) => Ok(Self::On),
            Either::Bool(false) => Ok(Self::Off),
            Either::Text(text) => match text.trim() {
                "on" => Ok(Self::On),
                "off" => Ok(Self::Off),
                url if url.starts_with("http://") || url.starts_with("https://") => Ok(Self::At(url.to_owned())),
                _ => Err(serde::de::Error::custom("use on, off, or the address where it is")),
            },
        }
    }
}

/// How transactions of `/rest/v1` end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestTxEnd {
    /// They commit.
    #[default]
    Commit,
    /// They commit unless the request asks for a rollback.
    CommitAllowOverride,
    /// They roll back.
    Rollback,
    /// They roll back unless the request asks for a commit.
    RollbackAllowOverride,
}

/// What the root of `/rest/v1` describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestOpenApi {
    /// What the caller may use.
    #[default]
    FollowPrivileges,
    /// Everything in the exposed schemas.
    IgnorePrivileges,
    /// Nothing.
    Disabled,
}
