//! A plugin as it is published: the part of `plugin.toml` that operators get who install it.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use behalf_sandbox::{Grants, Inspection};
use behalf_tools::{Claim, is_plugin_name};
use serde::Serialize;

use crate::manifest::{Manifest, is_quick};

/// What a publisher says of a plugin. Settings are not part of it: those are the operator's.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// An SPDX expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<String>,
    /// Address of its source code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<String>,
    /// The grants that the publisher suggests; the operator decides.
    pub(crate) grants: Grants,
}

impl Package {
    /// Reads the package of a component: from the manifest that is given, else from the one that `behalf tool pull` left beside
    /// the component (`my-tool.toml` for `my-tool.wasm`), else from the project's.
    pub(crate) fn of_component(component: &Path, given: Option<&Path>) -> anyhow::Result<Option<Self>> {
        ensure!(
            !is_quick(component),
            "{} is a quick build of `behalf tool build --watch`; publish what `behalf tool build` makes",
            component.display()
        );
        let pulled = component.with_extension("toml");
        if let Some(path) = given.or(Some(pulled.as_path()).filter(|path| path.is_file())) {
            return Self::new(Manifest::open(path)?, path).map(Some);
        }
        // `run` and `check` do not read a pulled manifest: its publisher would decide what the call is granted.
        let found = Manifest::of_component(component)?;
        found.map(|(folder, manifest)| Self::new(manifest, &folder.join(crate::manifest::FILE))).transpose()
    }

    fn new(manifest: Manifest, path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        ensure!(
            is_plugin_name(&manifest.name),
            "{shown}: {:?} is no plugin name; use [a-z][a-z0-9-]{{0,63}}",
            manifest.name
        );
        ensure!(!manifest.version.is_empty(), "{shown}: the version is empty");
        let grants = manifest.grants.map(Grants::from_json).transpose().with_context(|| shown.to_string())?;
        Ok(Self {
            name: manifest.name,
            version: manifest.version,
            description: manifest.description,
            license: manifest.license,
            source: manifest.source,
            author: manifest.author,
            grants: grants.unwrap_or_default(),
        })
    }

    /// Checks that the component could use the grants at all. Which schemas a host exposes is that host's.
    pub(crate) fn check(&self, inspection: &Inspection) -> anyhow::Result<()> {
        let schemas = self.grants.database().map(|grant| grant.schemas.clone()).unwrap_or_default();
        self.grants.check(&inspection.imports, &schemas).context("the plugin's manifest")
    }

    /// What a signature has to cover.
    pub(crate) fn claim(&self, digest: [u8; 32]) -> Claim<'_> {
        Claim { digest, name: &self.name, version: &self.version, grants: &self.grants }
    }
}

/// The file of a component's signature.
pub(crate) fn signature_path(component: &Path) -> PathBuf {
    component.with_extension("sig.json")
}
