//! Building the component of a project, whatever its language.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use behalf_sandbox::Inspection;

use super::mode::Mode;
use super::{c, js, python, rust};
use crate::component::read_component;
use crate::language::Language;
use crate::project::Project;
use crate::whole_file::{PUBLIC, replace_file};

/// A component that was built.
#[derive(Debug)]
pub(super) struct Built {
    file: PathBuf,
    pub(super) inspection: Inspection,
    time: Duration,
}

impl Built {
    /// Prints its path to standard output, for scripts, and the rest for people.
    pub(super) fn print(&self) {
        println!("{}", relative(&self.file));
        eprintln!(
            "behalf: {} KiB in {:.1} s, sha256:{}",
            self.inspection.size.div_ceil(1024),
            self.time.as_secs_f64(),
            hex::encode(self.inspection.digest)
        );
    }
}

/// Fetches the compilers and libraries that the project's language needs.
pub(super) async fn install(project: &Project) -> anyhow::Result<()> {
    match project.language {
        Language::Rust => rust::install().await,
        Language::Python => python::install(project).await,
        Language::Js => js::install(project).await,
        Language::C => c::install(),
    }
}

/// Builds, makes a component of a core module, and replaces the old component only by one that is a plugin.
pub(super) async fn build(project: &Project, mode: Mode) -> anyhow::Result<Built> {
    let started = Instant::now();
    let output = match project.language {
        Language::Rust => rust::build(project, mode).await,
        Language::Python => python::build(project).await,
        Language::Js => js::build(project).await,
        Language::C => c::build(project).await,
    }?;
    let inspection = read_component(&output).await?;
    let file = project.component();
    let dir = file.parent().context("the component has no folder")?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot write {}", file.display()))?;
    replace_file(&file, &inspection.component, PUBLIC)?;
    Ok(Built { file, inspection, time: started.elapsed() })
}

/// A path relative to the current folder, where it lies below that.
pub(super) fn relative(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let inside = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    inside.unwrap_or(path).display().to_string()
}
