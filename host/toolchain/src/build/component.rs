//! Building the component of a project, whatever its language.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use behalf_sandbox::Inspection;

use super::mode::Mode;
use super::{c, definitions, js, python, rust};
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

/// Builds, makes a component of a core module, and replaces the old component only by one that is a plugin. A quick build has a
/// file of its own, so that nobody publishes one by mistake.
pub(super) async fn build(project: &Project, mode: Mode) -> anyhow::Result<Built> {
    let started = Instant::now();
    let output = match project.language {
        Language::Rust => rust::build(project, mode).await,
        Language::Python => python::build(project).await,
        Language::Js => js::build(project, mode).await,
        Language::C => c::build(project).await,
    }?;
    let inspection = read_component(&output).await?;
    // In the other languages an SDK writes the definitions. A quick build is read by the host that it is registered on.
    if project.language == Language::C && mode == Mode::Release {
        definitions::are_good(&inspection).await?;
    }
    let file = match mode {
        Mode::Release => project.component(),
        Mode::Quick => project.quick_component(),
    };
    let dir = file.parent().context("the component has no folder")?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot write {}", file.display()))?;
    replace_file(&file, &inspection.component, PUBLIC)?;
    Ok(Built { file, inspection, time: started.elapsed() })
}

/// Checks what a quick build leaves out, so that it is soon done; prints what is wrong.
pub(super) async fn check(project: &Project) -> anyhow::Result<()> {
    match project.language {
        Language::Js => js::check_types(project).await,
        Language::Rust | Language::Python | Language::C => Ok(()),
    }
}

/// A path relative to the current folder, where it lies below that. The current folder itself is shown whole.
pub(super) fn relative(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let inside = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    inside.filter(|inside| !inside.as_os_str().is_empty()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_name_wherever_one_stands() {
        let here = std::env::current_dir().expect("a folder");
        assert_eq!(relative(&here.join("dist/one.wasm")), "dist/one.wasm");
        assert_eq!(relative(&here), here.display().to_string());
        assert_eq!(relative(Path::new("/elsewhere")), "/elsewhere");
    }
}
