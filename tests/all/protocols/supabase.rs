//! Supabase's own clients, which walk through what an app does (`tests/clients/supabase`).

use std::path::{Path, PathBuf};

use behalf_tests::App;
use behalf_tests::app::anon_key;
use serde_json::Value;
use tokio::process::Command;

use super::clients::{clients, node, run, words};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/supabase");

/// A client, as its users have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// The newest supabase-js that runs on Node.js 20, there.
    Node20,
    /// The newest supabase-js.
    Node22,
    /// supabase-py.
    Python,
}

impl Client {
    /// Runs a script at a host, with these variables; it asserts what it sees, and says at its end that it came so far. `script` is
    /// its name without the ending.
    pub(crate) async fn walks(self, script: &str, app: &App, variables: &[(&str, String)]) {
        let (mut program, packages, ending) = self.program();
        program.arg(Path::new(SOURCES).join(format!("{script}.{ending}")));
        program.env("BASE_URL", &app.url).env("KEY", anon_key()).env("PACKAGES", packages);
        program.envs(variables.iter().map(|(name, value)| (name, value)));
        let output = run(&mut program).await;
        assert!(output.status.success(), "{script} of {self:?}: {}", words(&output));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["done"], true);
        let is_version = |begin: &str| said["node"].as_str().is_some_and(|version| version.starts_with(begin));
        assert!(
            match self {
                Self::Node20 => is_version("v20."),
                Self::Node22 => is_version("v22."),
                Self::Python => true,
            },
            "{said}"
        );
    }

    /// What runs its scripts, the folder of its packages, and how its scripts end.
    fn program(self) -> (Command, PathBuf, &'static str) {
        match self {
            Self::Node20 => {
                let packages = clients().join("node-20");
                (Command::new(packages.join("node_modules/.bin/node")), packages, "mjs")
            }
            Self::Node22 => (node(), clients(), "mjs"),
            Self::Python => (Command::new(clients().join("python/bin/python")), clients(), "py"),
        }
    }
}
