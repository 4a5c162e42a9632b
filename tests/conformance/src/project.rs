use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::ground::Setup;

/// How long a call of the suite may take where the project does not say.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What a plugin's project says of it: `plugin.toml`, as far as the suite needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// What it is granted and set; none where there is no `plugin.toml`.
    pub grants: Option<Value>,
    /// What the operator would set.
    pub settings: Value,
    /// SQL that makes tables and rows beside those of the default fixture.
    pub fixture: Option<String>,
    /// Calls that must work for a user.
    pub calls: Vec<ProjectCall>,
    /// What it may take.
    pub bounds: Bounds,
}

/// A call that must work.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectCall {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    #[serde(default = "no_arguments")]
    pub arguments: Value,
}

/// Bounds of what is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Of the component.
    pub size_bytes: Option<u64>,
    /// Of a start.
    pub start_ms: Option<u64>,
    /// Of a call.
    pub memory_bytes: Option<u64>,
}

/// Why a project cannot be read.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// A file is not readable.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// `plugin.toml` is not of the form.
    #[error("{0} is not of the documented form")]
    Form(PathBuf, #[source] Box<toml::de::Error>),
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default = "no_arguments")]
    grants: Value,
    #[serde(default = "no_arguments")]
    settings: Value,
    #[serde(default)]
    check: Check,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    fixture: Option<PathBuf>,
    #[serde(default)]
    calls: Vec<ProjectCall>,
    #[serde(default)]
    bounds: Bounds,
}

fn no_arguments() -> Value {
    json!({})
}

impl Project {
    /// Where the manifest of a component is: in its folder, or in the one above `dist/`.
    pub fn manifest_of(component: &Path) -> Option<PathBuf> {
        let folder = component.parent()?;
        let above = if folder.ends_with("dist") { folder.parent() } else { None };
        // A bare file name has the empty path as its folder, which is the current one.
        [Some(folder), above].into_iter().flatten().map(|folder| folder.join("plugin.toml")).find(|file| file.is_file())
    }

    /// Reads a manifest, and the fixture it names.
    pub fn read(manifest: &Path) -> Result<Self, ProjectError> {
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| ProjectError::Read(path.into(), error));
        let parsed: Manifest = toml::from_str(&read(manifest)?)
            .map_err(|error| ProjectError::Form(manifest.into(), Box::new(error)))?;
        let folder = manifest.parent().unwrap_or(Path::new(""));
        let fixture = parsed.check.fixture.map(|file| read(&folder.join(file))).transpose()?;
        Ok(Self {
            grants: Some(parsed.grants),
            settings: parsed.settings,
            fixture,
            calls: parsed.check.calls,
            bounds: parsed.check.bounds,
        })
    }

    /// What the suite registers the plugin with: the grants, with a deadline that keeps a check short.
    pub(crate) fn setup(&self) -> Setup {
        let mut grants = self.grants.clone().filter(Value::is_object).unwrap_or_else(no_arguments);
        if grants.pointer("/limits/timeout_ms").is_none() {
            let millis = u64::try_from(TIMEOUT.as_millis()).unwrap_or(u64::MAX);
            let mut limits = grants.get("limits").filter(|limits| limits.is_object()).cloned().unwrap_or(json!({}));
            limits["timeout_ms"] = json!(millis);
            grants["limits"] = limits;
        }
        let settings = Some(self.settings.clone()).filter(Value::is_object).unwrap_or_else(no_arguments);
        Setup { grants, settings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_lies_beside_its_component_or_above_dist() {
        let folder = tempfile::tempdir().unwrap();
        let (manifest, dist) = (folder.path().join("plugin.toml"), folder.path().join("dist"));
        std::fs::create_dir(&dist).unwrap();
        assert_eq!(Project::manifest_of(&dist.join("a.wasm")), None);
        std::fs::write(
            &manifest,
            "name = \"a\"\nversion = \"0.1.0\"\n[grants.database]\naccess = \"read\"\n[settings]\nn = 1\n\
             [check]\nfixture = \"rows.sql\"\n[[check.calls]]\ntool = \"a\"\narguments = { b = 1 }\n\
             [check.bounds]\nsize_bytes = 9",
        )
        .unwrap();
        assert_eq!(Project::manifest_of(&dist.join("a.wasm")), Some(manifest.clone()));
        assert_eq!(Project::manifest_of(&folder.path().join("a.wasm")), Some(manifest.clone()));
        assert!(matches!(Project::read(&manifest), Err(ProjectError::Read(..))));
        std::fs::write(folder.path().join("rows.sql"), "select 1").unwrap();
        let project = Project::read(&manifest).unwrap();
        assert_eq!(project.fixture.as_deref(), Some("select 1"));
        assert_eq!(project.calls, [ProjectCall { tool: "a".to_owned(), arguments: json!({"b": 1}) }]);
        assert_eq!(project.bounds.size_bytes, Some(9));
        assert_eq!(
            project.setup().grants,
            json!({"database": {"access": "read"}, "limits": {"timeout_ms": 3000}})
        );
        std::fs::write(&manifest, "[check]\nfixtures = 1").unwrap();
        assert!(matches!(Project::read(&manifest), Err(ProjectError::Form(..))));
    }
}
