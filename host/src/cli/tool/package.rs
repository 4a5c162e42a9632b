use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::sandbox::{Grants, Inspection};
use crate::tools::{Claim, is_plugin_name};

/// What a `plugin.toml` says of a plugin to whoever installs it. Settings are not among it: those are the operator's.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// An SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) license: Option<String>,
    /// Where its source is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<String>,
    /// What it needs, as its publisher sees it; the operator decides.
    #[serde(default)]
    pub(super) grants: Grants,
}

impl Package {
    /// Reads a manifest: the one that is given, or else the one that belongs to the component.
    pub(super) fn of(component: &Path, given: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let found = match given {
            Some(path) => Some(path.to_owned()),
            None => places(component).into_iter().find(|path| path.is_file()),
        };
        found.map(|path| Self::read(&path)).transpose()
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        let package: Self = toml::from_str(&text).with_context(|| format!("{shown} is no plugin.toml"))?;
        ensure!(
            is_plugin_name(&package.name),
            "{shown}: {:?} is no plugin name; use [a-z][a-z0-9-]{{0,63}}",
            package.name
        );
        ensure!(!package.version.is_empty(), "{shown}: the version is empty");
        Ok(package)
    }

    /// Whether the component could use the grants at all; which schemas a host exposes is its own.
    pub(super) fn check(&self, inspection: &Inspection) -> anyhow::Result<()> {
        let schemas = self.grants.database().map(|grant| grant.schemas.clone()).unwrap_or_default();
        self.grants.check(&inspection.imports, &schemas).context("the plugin's manifest")
    }

    /// What a signature has to cover.
    pub(super) fn claim(&self, digest: [u8; 32]) -> Claim<'_> {
        Claim { digest, name: &self.name, version: &self.version, grants: &self.grants }
    }
}

/// `my-tool.toml` beside `my-tool.wasm`, as `pull` leaves it; `plugin.toml` there, or above where the component is in `dist`.
fn places(component: &Path) -> Vec<PathBuf> {
    let folder = component.parent().unwrap_or(Path::new(""));
    let mut places = vec![component.with_extension("toml"), folder.join("plugin.toml")];
    if folder.file_name().is_some_and(|name| name == "dist") {
        places.extend(folder.parent().map(|project| project.join("plugin.toml")));
    }
    places
}

/// Where the signature of a component is.
pub(super) fn signature_path(component: &Path) -> PathBuf {
    component.with_extension("sig.json")
}

/// Writes a file whole or not at all; one that is there is replaced only where that is asked for.
pub(super) fn write_file(path: &Path, bytes: &[u8], replace: bool) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let shown = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("cannot write {shown}");
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    file.write_all(bytes).with_context(cannot)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    let written = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    match written {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{shown} is there already; give --force to replace it, or -o FILE to write elsewhere")
        }
        Err(error) => Err(error.error).with_context(cannot),
    }
}
