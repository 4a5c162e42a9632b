//! Building again whenever a source changes.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use notify::{Event, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::component::{build, check, relative};
use super::inputs::{Inputs, is_input};
use super::mode::Mode;
use super::register::register;
use crate::project::Project;

/// How long after the last write the build begins: an editor writes a file in several steps.
const SETTLE: Duration = Duration::from_millis(100);

/// Builds and registers at every change of a source, until the process is stopped. Events of the file system only tell when to
/// look: what counts is whether the content of a file is another one.
pub(super) async fn watch(project: &Project, state_dir: &Path) -> anyhow::Result<()> {
    let (sender, mut events) = mpsc::channel::<()>(1);
    let dir = project.dir.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // A build reads its sources, and so do we.
        let may_change = |event: Event| !event.kind.is_access() && event.paths.iter().any(|path| is_input(&dir, path));
        if event.is_ok_and(may_change) {
            // The channel holds one message; one that waits already stands for this event too.
            sender.try_send(()).ok();
        }
    })
    .context("cannot watch files here")?;
    watcher
        .watch(&project.dir, RecursiveMode::Recursive)
        .with_context(|| format!("cannot watch {}", project.dir.display()))?;
    let mut inputs = Inputs::read(&project.dir).await?;
    loop {
        if let Err(error) = build_and_register(&project.dir, state_dir).await {
            eprintln!("behalf: {error:#}");
        }
        eprintln!("behalf: waiting for changes in {} (Ctrl-C ends)", relative(&project.dir));
        inputs = tokio::select! {
            biased;
            inputs = changed(&project.dir, inputs, &mut events) => inputs?,
            never = checked(&project.dir) => match never {},
        };
    }
}

/// Checks what the build left out, and then waits for ever. A change ends it.
async fn checked(dir: &Path) -> Infallible {
    let checked = match Project::open(dir) {
        Ok(project) => check(&project).await,
        // The build has said it.
        Err(_) => Ok(()),
    };
    if let Err(error) = checked {
        eprintln!("behalf: {error:#}");
    }
    std::future::pending().await
}

/// Waits until the files are others than those that were built.
async fn changed(dir: &Path, built: Inputs, events: &mut mpsc::Receiver<()>) -> anyhow::Result<Inputs> {
    loop {
        events.recv().await.context("the watch has ended")?;
        while tokio::time::timeout(SETTLE, events.recv()).await.is_ok_and(|event| event.is_some()) {}
        let now = Inputs::read(dir).await?;
        if now != built {
            return Ok(now);
        }
    }
}

async fn build_and_register(dir: &Path, state_dir: &Path) -> anyhow::Result<()> {
    // The manifest may be what was changed.
    let project = Project::open(dir)?;
    let built = build(&project, Mode::Quick).await?;
    built.print();
    register(&project, &built.inspection, state_dir).await
}
