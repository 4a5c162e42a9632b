//! A component in a file, and the sandbox that a command runs it in.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use behalf_config::Settings;
use behalf_sandbox::{Compiler, Inspection, Sandbox, SandboxError, SandboxOptions, inspect};

use crate::cache;

/// Reads a component from a file and inspects it.
pub(crate) async fn read_component(file: &Path) -> anyhow::Result<Inspection> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let inspection = tokio::task::spawn_blocking(move || inspect(&bytes)).await?;
    inspection.with_context(|| format!("{} is no plugin", file.display()))
}

/// How long a call of a command waits for the one before.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Options of a sandbox that keeps everything it writes in `dir`. Another process of this program compiles the components,
/// because they may be a stranger's.
pub fn sandbox_options(dir: &Path, http_allow_private: Vec<String>) -> SandboxOptions {
    SandboxOptions {
        concurrent_calls: 2,
        max_wait: MAX_WAIT,
        cache_dir: dir.join("compiled"),
        cache_mib: 0,
        compiler: std::env::current_exe().map_or(Compiler::Here, Compiler::Process),
        http_allow_private,
        http: None,
        workspace_dir: dir.join("workspaces"),
        objects: None,
        knowledge: None,
        memory: None,
    }
}

/// A sandbox that takes compiled code from the user's cache, where earlier commands left it, and leaves it there for later ones.
/// Where the user has no such folder, it keeps the code where its options say.
pub(crate) fn sandbox_with_cache(options: SandboxOptions, settings: &Settings) -> Result<Sandbox, SandboxError> {
    let cached = cache::folder("compiled").map(|cache_dir| SandboxOptions {
        cache_dir,
        cache_mib: settings.operations.compiled_max_mib,
        ..options.clone()
    });
    match cached.map(Sandbox::new) {
        None | Some(Err(SandboxError::Cache(..))) => Sandbox::new(options),
        Some(made) => made,
    }
}
