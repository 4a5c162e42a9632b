//! The components that come with the host: the build script compiles them from `plugins/`, and this crate embeds them. They are the
//! bundled plugins, and the one that reads users' documents.
//!
//! It is a crate of its own so that a change of a plugin compiles nothing else anew.

use serde::Deserialize;
use serde_json::Value;

/// A plugin that comes with the host.
#[derive(Clone, Copy, Debug)]
pub struct BundledPlugin {
    /// The name of its folder.
    pub name: &'static str,
    /// The component.
    pub component: &'static [u8],
    /// The text of its `plugin.toml`.
    pub manifest: &'static str,
}

/// The parts of `plugin.toml` that registering needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it asks for.
    #[serde(default)]
    pub grants: Value,
}

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
