//! Distribution: plugins in OCI registries, their signatures, and hosts that require signatures.

mod hostile_registry;
mod installing;
mod push_and_pull;
mod required_signatures;

use std::path::PathBuf;
use std::process::Stdio;

use behalf_config::environment;
use behalf_tests::guests;
use behalf_tests::projects::Printed;
use behalf_tests::registry::files;
use tokio::io::AsyncWriteExt as _;

const MANIFEST: &str = r#"
name = "prober"
version = "1.2.3"
description = "Probes."
license = "MIT"
source = "https://example.com/prober"
author = "Tests"

[settings]
api_key = "not for anybody else"

[grants.database]
access = "read"
schemas = ["public"]
tables = ["public.notes"]
"#;

/// A folder with a plugin, in which a user without credentials runs commands.
struct Project {
    dir: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Project {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["dist", "docker", "out"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        std::fs::copy(guests::PROBE, dir.path().join("dist/prober.wasm")).unwrap();
        std::fs::write(dir.path().join("plugin.toml"), MANIFEST).unwrap();
        Self { dir, variables: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn out(&self) -> Vec<String> {
        files(&self.path("out"))
    }

    async fn behalf(&self, arguments: &[&str]) -> Printed {
        self.behalf_told(arguments, "").await
    }

    /// Runs `behalf` with this text on standard input.
    async fn behalf_told(&self, arguments: &[&str], input: &str) -> Printed {
        let program =
            environment("BEHALF_TEST_BIN").expect("BEHALF_TEST_BIN is not set: run the tests with `./dev test`");
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).current_dir(self.dir.path()).env("DOCKER_CONFIG", self.path("docker"));
        command.env_remove("BEHALF_REGISTRY_USERNAME").env_remove("BEHALF_REGISTRY_PASSWORD");
        command.envs(self.variables.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let done = child.wait_with_output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Printed { ok: done.status.success(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// Runs a command that must succeed, and returns the first line that it prints.
    async fn says(&self, arguments: &[&str]) -> String {
        let printed = self.behalf(arguments).await;
        assert!(printed.ok, "{arguments:?}: {}", printed.err);
        printed.out.lines().next().unwrap_or_default().to_owned()
    }

    /// Runs a command that must fail, and returns its error.
    async fn fails(&self, arguments: &[&str]) -> String {
        let printed = self.behalf(arguments).await;
        assert!(!printed.ok && printed.out.is_empty(), "{arguments:?}: {}", printed.out);
        printed.err
    }
}
