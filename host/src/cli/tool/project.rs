use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

/// The file that makes a folder a plugin project.
pub(in crate::cli) const MANIFEST: &str = "plugin.toml";

/// A folder with a plugin's sources.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Project {
    pub(in crate::cli) dir: PathBuf,
    pub(in crate::cli) manifest: Manifest,
    pub(in crate::cli) language: Language,
}

/// What `plugin.toml` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Manifest {
    pub(in crate::cli) name: String,
    pub(in crate::cli) version: String,
    #[expect(dead_code, reason = "for people, and for `behalf tool push`")]
    description: Option<String>,
    #[expect(dead_code, reason = "for people, and for `behalf tool push`")]
    license: Option<String>,
    #[expect(dead_code, reason = "for people, and for `behalf tool push`")]
    source: Option<String>,
    #[expect(dead_code, reason = "for people, and for `behalf tool push`")]
    author: Option<String>,
    /// How to build it, where the folder does not say it.
    #[serde(default)]
    pub(in crate::cli) build: BuildTable,
    /// What it asks for, in the form of `POST /api/plugins`.
    pub(in crate::cli) grants: Option<Value>,
    /// Values for `settings.get-all`.
    pub(in crate::cli) settings: Option<Value>,
    /// What the conformance suite begins with.
    #[serde(default)]
    pub(in crate::cli) check: CheckTable,
}

/// `[build]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct BuildTable {
    pub(in crate::cli) language: Option<Language>,
    /// Python's module or JavaScript's entry file.
    pub(in crate::cli) entry: Option<PathBuf>,
    /// C's files.
    #[serde(default)]
    pub(in crate::cli) sources: Vec<PathBuf>,
}

/// `[check]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct CheckTable {
    /// SQL that makes the tables and rows the tools work on.
    pub(in crate::cli) fixture: Option<PathBuf>,
    /// Calls that must work for a user.
    #[serde(default)]
    pub(in crate::cli) calls: Vec<CheckCall>,
    /// What it may take.
    #[serde(default)]
    pub(in crate::cli) bounds: behalf_conformance::Bounds,
}

/// One call that must work.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct CheckCall {
    pub(in crate::cli) tool: String,
    #[serde(default)]
    pub(in crate::cli) arguments: serde_json::Map<String, Value>,
}

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Language {
    /// Rust, compiled with cargo.
    Rust,
    /// Python, with componentize-py.
    Python,
    /// JavaScript and TypeScript, with componentize-qjs.
    Js,
    /// C, compiled with clang.
    C,
}

impl Project {
    /// Reads the project of a folder.
    pub(in crate::cli) fn open(dir: &Path) -> anyhow::Result<Self> {
        let manifest = Manifest::read(&dir.join(MANIFEST))?.with_context(|| {
            format!("{} has no {MANIFEST}; `behalf tool new NAME --lang …` makes a project", dir.display())
        })?;
        let dir = dir.canonicalize().with_context(|| format!("cannot read {}", dir.display()))?;
        let Some(language) = manifest.build.language.or_else(|| Language::of(&dir)) else {
            bail!(
                "{} does not say its language; add [build] with language = \"rust\", \"python\", \"js\" or \"c\" to {MANIFEST}",
                dir.display()
            );
        };
        Ok(Self { dir, manifest, language })
    }

    /// The SDK of its language and the plugin interface: its own copies, or those of the repository that it lies in.
    pub(in crate::cli) fn sdk(&self) -> anyhow::Result<(PathBuf, PathBuf)> {
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

    /// Where `behalf tool build` puts the component.
    pub(in crate::cli) fn component(&self) -> PathBuf {
        self.dir.join("dist").join(format!("{}.wasm", self.manifest.name))
    }
}

impl Manifest {
    /// The manifest at this path; none where there is no file.
    pub(in crate::cli) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        toml::from_str(&text).map(Some).with_context(|| format!("{} is no plugin manifest", path.display()))
    }

    /// The manifest that belongs to a component: beside it, or above the `dist` folder it lies in. With the folder.
    pub(in crate::cli) fn beside(component: &Path) -> anyhow::Result<Option<(PathBuf, Self)>> {
        let dir = component.parent().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
        let Some(dir) = dir else { return Ok(None) };
        if let Some(manifest) = Self::read(&dir.join(MANIFEST))? {
            return Ok(Some((dir.to_path_buf(), manifest)));
        }
        let dir = dir.canonicalize().with_context(|| format!("cannot read {}", dir.display()))?;
        match dir.parent().filter(|_| dir.ends_with("dist")) {
            Some(above) => Ok(Self::read(&above.join(MANIFEST))?.map(|manifest| (above.to_path_buf(), manifest))),
            None => Ok(None),
        }
    }
}

impl Language {
    fn of(dir: &Path) -> Option<Self> {
        let files = [("Cargo.toml", Self::Rust), ("pyproject.toml", Self::Python), ("package.json", Self::Js)];
        let known = files.into_iter().find(|(file, _)| dir.join(file).is_file()).map(|(_, language)| language);
        known.or_else(|| dir.join("src/tool.c").is_file().then_some(Self::C))
    }

    /// As on the command line.
    pub(in crate::cli) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Js => "js",
            Self::C => "c",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_found_beside_a_component_and_above_dist() {
        let dir = tempfile::tempdir().expect("a folder");
        let dist = dir.path().join("dist");
        std::fs::create_dir(&dist).expect("a folder");
        std::fs::write(dir.path().join(MANIFEST), "name = \"one\"\nversion = \"0.1.0\"\n").expect("a manifest");
        let name = |file: PathBuf| Manifest::beside(&file).expect("a manifest").map(|(_, manifest)| manifest.name);
        assert_eq!(name(dir.path().join("one.wasm")).as_deref(), Some("one"));
        assert_eq!(name(dist.join("one.wasm")).as_deref(), Some("one"));
        std::fs::create_dir(dir.path().join("other")).expect("a folder");
        assert_eq!(name(dir.path().join("other/one.wasm")), None);
    }

    #[test]
    fn a_manifest_with_a_misspelt_key_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(MANIFEST);
        std::fs::write(&path, "name = \"one\"\nversion = \"0.1.0\"\n[check]\nfixtures = \"a.sql\"\n").expect("a file");
        let error = Manifest::read(&path).expect_err("a misspelt key");
        assert!(format!("{error:#}").contains("fixtures"), "{error:#}");
    }

    #[test]
    fn a_language_is_known_by_its_files() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(MANIFEST), "name = \"one\"\nversion = \"0.1.0\"\n").expect("a file");
        let error = Project::open(dir.path()).expect_err("no language");
        assert!(error.to_string().contains("[build]"), "{error}");
        for (file, language) in [("pyproject.toml", Language::Python), ("Cargo.toml", Language::Rust)] {
            std::fs::write(dir.path().join(file), "").expect("a file");
            assert_eq!(Project::open(dir.path()).expect("a project").language, language);
        }
    }
}
