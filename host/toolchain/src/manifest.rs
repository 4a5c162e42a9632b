//! `plugin.toml`: what a project says of its plugin, and where the file of a component is.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::demo;
use crate::language::Language;
use crate::trial_documents::TrialDocument;

/// The file that makes a folder a plugin project.
pub(crate) const FILE: &str = "plugin.toml";

/// The folder of a project for builds of `behalf tool build --watch`.
pub(crate) const QUICK: &str = "dist/quick";

/// The content of `plugin.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for, in one sentence.
    pub(crate) description: Option<String>,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    /// Address of its source code.
    pub(crate) source: Option<String>,
    /// The publisher's name.
    pub(crate) author: Option<String>,
    /// How to build it, where the folder's files do not show it.
    #[serde(default)]
    pub(crate) build: BuildTable,
    /// What it asks for, in the form of `POST /api/plugins`.
    pub grants: Option<Value>,
    /// Values for `settings.get-all`.
    pub(crate) settings: Option<Value>,
    /// What the conformance suite begins with.
    #[serde(default)]
    pub check: CheckTable,
}

/// `[build]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BuildTable {
    /// The language, where the folder's files do not show it.
    pub(crate) language: Option<Language>,
    /// Python's module or JavaScript's entry file.
    pub(crate) entry: Option<PathBuf>,
    /// C's files.
    #[serde(default)]
    pub(crate) sources: Vec<PathBuf>,
}

/// `[check]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckTable {
    /// SQL that makes the tables and rows that the tools work on.
    pub(crate) fixture: Option<PathBuf>,
    /// Calls that must work for a user.
    #[serde(default)]
    pub calls: Vec<CheckCall>,
    /// Recorded answers to HTTP requests.
    pub(crate) http: Option<PathBuf>,
    /// Documents that users find in their knowledge bases.
    #[serde(default)]
    pub(crate) documents: Vec<CheckDocument>,
    /// Size, time and memory that the component may take.
    #[serde(default)]
    pub(crate) bounds: behalf_conformance::Bounds,
}

/// One call that must work.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckCall {
    /// The tool's name.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// One document of a user: `[[check.documents]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckDocument {
    /// `alice`, `bob`, or a user's uuid.
    user: String,
    /// The name of its knowledge base.
    knowledge_base: String,
    /// Its name; that of its file where absent.
    name: Option<String>,
    /// Its text.
    text: Option<String>,
    /// A file with its text.
    file: Option<PathBuf>,
}

impl CheckDocument {
    /// The document, with the text of its file.
    fn read(self, folder: &Path) -> anyhow::Result<TrialDocument> {
        let text = match (self.text, &self.file) {
            (Some(text), None) => text,
            (None, Some(file)) => {
                let path = folder.join(file);
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?
            }
            _ => bail!("a document of [[check.documents]] has either `text` or `file`"),
        };
        let of_file = || self.file.as_ref().map_or_else(|| "document".to_owned(), |file| file.display().to_string());
        let (user, knowledge_base) = (demo::user(&self.user)?, self.knowledge_base);
        Ok(TrialDocument { user, knowledge_base, name: self.name.unwrap_or_else(of_file), text })
    }
}

impl CheckTable {
    /// The documents of all users; `folder` is the project's.
    pub(crate) fn documents(&self, folder: &Path) -> anyhow::Result<Vec<TrialDocument>> {
        self.documents.iter().cloned().map(|document| document.read(folder)).collect()
    }
}

impl Manifest {
    /// Reads the manifest at this path; `None` where there is no file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        toml::from_str(&text).map(Some).with_context(|| format!("{} is no plugin manifest", path.display()))
    }

    /// Reads the manifest at this path, where there must be one.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::read(path)?.with_context(|| format!("there is no {}", path.display()))
    }

    /// Reads the manifest of the project that a component belongs to: beside the component, or above the folder `dist` or
    /// `dist/quick` it lies in. Returns the project's folder with it.
    pub(crate) fn of_component(component: &Path) -> anyhow::Result<Option<(PathBuf, Self)>> {
        let dir = component.parent().map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
        let Some(dir) = dir else { return Ok(None) };
        if let Some(manifest) = Self::read(&dir.join(FILE))? {
            return Ok(Some((dir.to_path_buf(), manifest)));
        }
        let dir = dir.canonicalize().with_context(|| format!("cannot read {}", dir.display()))?;
        let dist = if dir.ends_with(QUICK) { dir.parent() } else { Some(dir.as_path()) };
        match dist.filter(|dist| dist.ends_with("dist")).and_then(Path::parent) {
            Some(above) => Ok(Self::read(&above.join(FILE))?.map(|manifest| (above.to_path_buf(), manifest))),
            None => Ok(None),
        }
    }
}

/// Whether a component is a quick build of `behalf tool build --watch`.
pub(crate) fn is_quick(component: &Path) -> bool {
    let dir = component.canonicalize().ok().and_then(|file| file.parent().map(Path::to_path_buf));
    dir.is_some_and(|dir| dir.ends_with(QUICK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_found_beside_a_component_and_above_dist() {
        let dir = tempfile::tempdir().expect("a folder");
        let dist = dir.path().join("dist");
        std::fs::create_dir(&dist).expect("a folder");
        std::fs::write(dir.path().join(FILE), "name = \"one\"\nversion = \"0.1.0\"\n").expect("a manifest");
        let name =
            |file: PathBuf| Manifest::of_component(&file).expect("a manifest").map(|(_, manifest)| manifest.name);
        assert_eq!(name(dir.path().join("one.wasm")).as_deref(), Some("one"));
        assert_eq!(name(dist.join("one.wasm")).as_deref(), Some("one"));
        std::fs::create_dir(dist.join("quick")).expect("a folder");
        assert_eq!(name(dist.join("quick/one.wasm")).as_deref(), Some("one"));
        std::fs::create_dir(dir.path().join("other")).expect("a folder");
        assert_eq!(name(dir.path().join("other/one.wasm")), None);
    }

    #[test]
    fn a_manifest_with_a_misspelt_key_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(FILE);
        std::fs::write(&path, "name = \"one\"\nversion = \"0.1.0\"\n[check]\nfixtures = \"a.sql\"\n").expect("a file");
        let error = Manifest::read(&path).expect_err("a misspelt key");
        assert!(format!("{error:#}").contains("fixtures"), "{error:#}");
    }

    #[test]
    fn documents_have_a_user_and_a_text() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("leave.md"), "Leave is 30 days.").expect("a file");
        let read = |more: &str| {
            let text = format!(
                "name = \"one\"\nversion = \"0.1.0\"\n[[check.documents]]\nknowledge_base = \"Handbook\"\n{more}"
            );
            let manifest: Manifest = toml::from_str(&text).expect("a manifest");
            manifest.check.documents(dir.path())
        };
        let found = read("user = \"alice\"\nfile = \"leave.md\"").expect("a document");
        let expected = TrialDocument {
            user: demo::ALICE,
            knowledge_base: "Handbook".to_owned(),
            name: "leave.md".to_owned(),
            text: "Leave is 30 days.".to_owned(),
        };
        assert_eq!(found, [expected]);
        for bad in ["user = \"carol\"\ntext = \"a\"", "user = \"bob\"", "user = \"bob\"\nfile = \"gone.md\""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
