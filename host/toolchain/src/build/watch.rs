//! Building again whenever a source changes.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use notify_debouncer_mini::notify::RecursiveMode;
use notify_debouncer_mini::{DebounceEventResult, new_debouncer};
use tokio::sync::mpsc;

use super::component::{build, relative};
use super::mode::Mode;
use super::register::register;
use crate::project::Project;

/// How long after the last write the build begins: an editor writes a file in several steps.
const SETTLE: Duration = Duration::from_millis(100);

/// Folders whose changes come from builds and tools.
const OUTPUT: [&str; 7] = ["target", "dist", "node_modules", ".venv", ".git", "build", "__pycache__"];

/// Builds and registers at every change of a source, until the process is stopped.
pub(super) async fn watch(project: &Project, state_dir: &Path) -> anyhow::Result<()> {
    let (sender, mut changes) = mpsc::channel::<()>(1);
    let dir = project.dir.clone();
    let mut watcher = new_debouncer(SETTLE, move |events: DebounceEventResult| {
        let is_source = events.is_ok_and(|events| events.iter().any(|event| is_source(&dir, &event.path)));
        if is_source {
            // The channel holds one message; one that waits already stands for this change too.
            sender.try_send(()).ok();
        }
    })
    .context("cannot watch files here")?;
    watcher
        .watcher()
        .watch(&project.dir, RecursiveMode::Recursive)
        .with_context(|| format!("cannot watch {}", project.dir.display()))?;
    loop {
        if let Err(error) = build_and_register(&project.dir, state_dir).await {
            eprintln!("behalf: {error:#}");
        }
        eprintln!("behalf: waiting for changes in {} (Ctrl-C ends)", relative(&project.dir));
        changes.recv().await.context("the watch has ended")?;
    }
}

async fn build_and_register(dir: &Path, state_dir: &Path) -> anyhow::Result<()> {
    // The manifest may be what was changed.
    let project = Project::open(dir)?;
    let built = build(&project, Mode::Quick).await?;
    built.print();
    register(&project, &built.inspection, state_dir).await
}

fn is_source(dir: &Path, path: &Path) -> bool {
    let inside = path.strip_prefix(dir).unwrap_or(path);
    let mut parts = inside.components().map(|part| part.as_os_str().to_string_lossy());
    parts.all(|part| !OUTPUT.contains(&part.as_ref())) && inside.extension() != Some("lock".as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_writes_starts_no_build() {
        let is = |path: &str| is_source(Path::new("/p"), &Path::new("/p").join(path));
        for source in ["src/lib.rs", "plugin.toml", "fixture.sql", "vendor/behalf-sdk/src/lib.rs"] {
            assert!(is(source), "{source}");
        }
        for output in ["target/release/x.wasm", "dist/p.wasm", "node_modules/a/b.js", "Cargo.lock", ".git/HEAD"] {
            assert!(!is(output), "{output}");
        }
    }
}
