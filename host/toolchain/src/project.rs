//! A folder with a plugin's sources.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::language::Language;
use crate::manifest::{FILE, Manifest, QUICK};

/// A folder with a plugin's sources.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder.
    pub(crate) dir: PathBuf,
    /// Its `plugin.toml`.
    pub manifest: Manifest,
    /// What the sources are written in.
    pub language: Language,
}

impl Project {
    /// Reads the project of a folder.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let manifest = Manifest::read(&dir.join(FILE))?.with_context(|| {
            format!("{} has no {FILE}; `behalf tool new NAME --lang …` makes a project", dir.display())
        })?;
        let dir = dir.canonicalize().with_context(|| format!("cannot read {}", dir.display()))?;
        let Some(language) = manifest.build.language.or_else(|| Language::of_folder(&dir)) else {
            bail!(
                "{} does not say its language; add [build] with language = \"rust\", \"python\", \"js\" or \"c\" to {FILE}",
                dir.display()
            );
        };
        Ok(Self { dir, manifest, language })
    }

    /// The folders of its language's SDK and of the plugin interface: the project's own copies, or those of the repository that
    /// the project lies in.
    pub(crate) fn sdk(&self) -> anyhow::Result<(PathBuf, PathBuf)> {
        let own = self.dir.join("vendor");
        let sdk = own.join("behalf-sdk");
        if sdk.is_dir() {
            return Ok((sdk, own.join("wit")));
        }
        let name = format!("plugins/sdk-{}", self.language.name());
        let repository = self.dir.ancestors().find(|dir| dir.join(&name).is_dir()).with_context(|| {
            format!("{} has no vendor/behalf-sdk; `behalf tool new` makes a project with one", self.dir.display())
        })?;
        Ok((repository.join(name), repository.join("wit")))
    }

    /// The file that `behalf tool build` writes the component to.
    pub fn component(&self) -> PathBuf {
        self.dir.join("dist").join(format!("{}.wasm", self.manifest.name))
    }

    /// The file that `behalf tool build --watch` writes the component to, which is not for use.
    pub(crate) fn quick_component(&self) -> PathBuf {
        self.dir.join(QUICK).join(format!("{}.wasm", self.manifest.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_files() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(FILE), "name = \"one\"\nversion = \"0.1.0\"\n").expect("a file");
        let error = Project::open(dir.path()).expect_err("no language");
        assert!(error.to_string().contains("[build]"), "{error}");
        for (file, language) in [("pyproject.toml", Language::Python), ("Cargo.toml", Language::Rust)] {
            std::fs::write(dir.path().join(file), "").expect("a file");
            assert_eq!(Project::open(dir.path()).expect("a project").language, language);
        }
    }
}
