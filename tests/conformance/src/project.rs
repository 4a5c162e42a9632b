//! A plugin's project: what `plugin.toml` says to the suite.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::test_bed::Setup;

/// How long a call of the suite may take where the project does not say.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The parts of a plugin's `plugin.toml` that the suite needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// The grants and settings that the plugin gets.
    pub setup: Setup,
    /// Whether these grants are what the project's `plugin.toml` asks for.
    pub own_grants: bool,
    /// Calls that must work for a user.
    pub calls: Vec<ProjectCall>,
    /// The most that the plugin may use.
    pub bounds: Bounds,
}

/// A call that must work.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectCall {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
}

/// Bounds of what is measured: `[check.bounds]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Of the component's file.
    pub size_bytes: Option<u64>,
    /// Of the start of an instance.
    pub start_ms: Option<u64>,
    /// Of an ordinary call.
    pub memory_bytes: Option<u64>,
}

impl Project {
    /// The setup with which the suite registers the plugin: the project's own, with a deadline that keeps a check short.
    pub(crate) fn setup(&self) -> Setup {
        let object = |value: &Value| Some(value.clone()).filter(Value::is_object).unwrap_or_else(|| json!({}));
        let (mut grants, settings) = (object(&self.setup.grants), object(&self.setup.settings));
        if grants.pointer("/limits/timeout_ms").is_none() {
            let mut limits = object(&grants["limits"]);
            limits["timeout_ms"] = json!(u64::try_from(TIMEOUT.as_millis()).unwrap_or(u64::MAX));
            grants["limits"] = limits;
        }
        Setup { grants, settings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_has_a_deadline_unless_the_project_sets_one() {
        let setup = |grants| Project { setup: Setup { grants, settings: json!(null) }, ..Project::default() }.setup();
        assert_eq!(setup(json!(null)), Setup { grants: json!({"limits": {"timeout_ms": 3000}}), settings: json!({}) });
        let own = json!({"limits": {"timeout_ms": 9000, "memory_bytes": 1}});
        assert_eq!(setup(own.clone()).grants, own);
        let other = json!({"database": {}, "limits": {"memory_bytes": 1}});
        assert_eq!(setup(other).grants, json!({"database": {}, "limits": {"memory_bytes": 1, "timeout_ms": 3000}}));
    }
}
