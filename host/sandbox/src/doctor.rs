//! The checks of `behalf doctor` on the sandbox.

use std::error::Error;
use std::time::Duration;

use behalf_telemetry::Finding;

use crate::options::{Compiler, SandboxError, SandboxOptions};
use crate::sandbox::Sandbox;

/// Whether there is address space for so many calls at once. It makes such a sandbox, and drops it.
pub async fn examine(concurrent_calls: u32) -> Vec<Finding> {
    const NAME: &str = "concurrent-calls";
    let calls = concurrent_calls.max(1);
    let Ok(dir) = tempfile::tempdir() else {
        return vec![Finding::skipped(NAME, "there is no folder for temporary files")];
    };
    let options = SandboxOptions {
        concurrent_calls: calls,
        max_wait: Duration::ZERO,
        cache_dir: dir.path().join("compiled"),
        cache_mib: 0,
        compiler: Compiler::Here,
        http_allow_private: Vec::new(),
        http: None,
        workspace_dir: dir.path().join("workspaces"),
        objects: None,
        knowledge: None,
        memory: None,
    };
    let made = tokio::task::spawn_blocking(move || Sandbox::new(options).map(drop)).await;
    let limit = match rlimit::getrlimit(rlimit::Resource::AS) {
        Ok((soft, _)) if soft != rlimit::INFINITY => format!("`ulimit -v` is {} KiB", soft / 1024),
        _ => "`ulimit -v` is unlimited".to_owned(),
    };
    vec![match made {
        Ok(Ok(())) => Finding::ok(NAME, format!("there is address space for {calls}")),
        Ok(Err(error)) => {
            let found = format!("no address space for {calls} ({limit}): {}", chain(&error));
            Finding::error(NAME, found, "ulimit -v unlimited, or lower BEHALF_CONCURRENT_CALLS")
        }
        Err(error) => Finding::error(NAME, format!("cannot be tried: {error}"), "lower BEHALF_CONCURRENT_CALLS"),
    }]
}

/// An error with all its causes, in one line.
fn chain(error: &SandboxError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
