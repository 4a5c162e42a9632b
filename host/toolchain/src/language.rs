//! The languages that plugins are written in.

use std::path::Path;

use serde::Deserialize;

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust, compiled with cargo.
    Rust,
    /// Python, with componentize-py.
    Python,
    /// JavaScript and TypeScript, with componentize-qjs.
    Js,
    /// C, compiled with clang.
    C,
}

impl Language {
    /// The language that a folder's files show.
    pub(crate) fn of_folder(dir: &Path) -> Option<Self> {
        let files = [("Cargo.toml", Self::Rust), ("pyproject.toml", Self::Python), ("package.json", Self::Js)];
        let known = files.into_iter().find(|(file, _)| dir.join(file).is_file()).map(|(_, language)| language);
        known.or_else(|| dir.join("src/tool.c").is_file().then_some(Self::C))
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Js => "js",
            Self::C => "c",
        }
    }
}
