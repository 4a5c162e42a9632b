//! `behalf tool build`: a component from a project, whatever its language.

mod c;
mod js;
mod program;
mod python;
mod register;
mod rust;
mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::project::{Language, Project};
use super::read_component;
use crate::cli::stop_signal;
use crate::config::Settings;
use crate::sandbox::Inspection;

/// `behalf tool build`
#[derive(Debug, Args)]
pub(in crate::cli) struct BuildArgs {
    /// The project.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Fetch what is missing: the Rust target, the project's own .venv or `node_modules`.
    #[arg(long)]
    install: bool,
    /// Build again whenever a source is saved, and register the component on the `behalf dev` host where one runs.
    #[arg(long)]
    watch: bool,
    /// Register the component on the `behalf dev` host.
    #[arg(long)]
    register: bool,
}

/// How to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// For use: small and fast.
    Release,
    /// For the next try: soon.
    Quick,
}

/// A component that was built.
#[derive(Debug)]
struct Built {
    file: PathBuf,
    inspection: Inspection,
    time: Duration,
}

pub(super) async fn run(args: BuildArgs) -> anyhow::Result<ExitCode> {
    let project = Project::open(&args.dir)?;
    if args.install {
        install(&project).await?;
    }
    if args.watch {
        let settings = Settings::load()?;
        tokio::select! {
            result = watch::watch(&project, &settings.state_dir) => result?,
            () = stop_signal() => {}
        }
        return Ok(ExitCode::SUCCESS);
    }
    let built = build(&project, Mode::Release).await?;
    say(&built);
    if args.register {
        let settings = Settings::load()?;
        register::register(&project, &built.inspection, &settings.state_dir).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn install(project: &Project) -> anyhow::Result<()> {
    match project.language {
        Language::Rust => rust::install().await,
        Language::Python => python::install(project).await,
        Language::Js => js::install(project).await,
        Language::C => c::install(),
    }
}

/// Builds, makes a component of a core module, and replaces the old component only by one that is a plugin.
async fn build(project: &Project, mode: Mode) -> anyhow::Result<Built> {
    let started = Instant::now();
    let output = match project.language {
        Language::Rust => rust::build(project, mode).await,
        Language::Python => python::build(project).await,
        Language::Js => js::build(project).await,
        Language::C => c::build(project).await,
    }?;
    let inspection = read_component(&output).await?;
    let file = project.component();
    replace(&file, &inspection.component)?;
    Ok(Built { file, inspection, time: started.elapsed() })
}

/// Writes a file whole or not at all.
fn replace(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let dir = file.parent().context("the component has no folder")?;
    let write = || {
        std::fs::create_dir_all(dir)?;
        let mut part = tempfile::NamedTempFile::new_in(dir)?;
        part.write_all(bytes)?;
        // A temporary file is for its owner alone; a component is nobody's secret.
        std::fs::set_permissions(part.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        part.persist(file).map_err(|error| error.error)
    };
    write().map(drop).with_context(|| format!("cannot write {}", file.display()))
}

/// The path goes to standard output, for scripts.
fn say(built: &Built) {
    println!("{}", shown(&built.file));
    eprintln!(
        "behalf: {} KiB in {:.1} s, sha256:{}",
        built.inspection.size.div_ceil(1024),
        built.time.as_secs_f64(),
        hex::encode(built.inspection.digest)
    );
}

/// A path as it is reached from the current folder, where it lies below it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let inside = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    inside.unwrap_or(path).display().to_string()
}
