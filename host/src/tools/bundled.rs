use serde::Deserialize;
use serde_json::Value;

/// A plugin that the build made from `plugins/`.
pub(super) struct Bundled {
    /// Folder name.
    pub(super) name: &'static str,
    /// The component.
    pub(super) component: &'static [u8],
    /// `plugin.toml`.
    pub(super) manifest: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// What `plugin.toml` says.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default)]
    pub(super) grants: Value,
}

/// All plugins that come with the host.
pub(super) fn bundled() -> &'static [Bundled] {
    BUNDLED
}
