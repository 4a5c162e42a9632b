//! `behalf tool build`: a component from a project, whatever its language.

mod c;
mod component;
mod definitions;
mod inputs;
mod js;
mod mode;
mod program;
mod python;
mod python_packages;
mod python_world;
mod register;
mod rust;
mod steady;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use behalf_config::Settings;
use clap::Args;

use crate::project::Project;
use crate::stop_signal::stop_signal;
use mode::Mode;

/// `behalf tool build`
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The project.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Fetch what is missing: the Rust target, the project's own .venv or `node_modules`.
    #[arg(long)]
    install: bool,
    /// Build again whenever a source has changed, quickly and to dist/quick, and register the component on the `behalf dev` host.
    #[arg(long)]
    watch: bool,
    /// Register the component on the `behalf dev` host.
    #[arg(long)]
    register: bool,
}

/// Builds once, or at every change.
pub(crate) async fn run(args: BuildArgs) -> anyhow::Result<ExitCode> {
    let project = Project::open(&args.dir)?;
    if args.install {
        component::install(&project).await?;
    }
    if args.watch {
        let settings = Settings::load()?;
        tokio::select! {
            result = watch::watch(&project, &settings.state_dir) => result?,
            _ = stop_signal() => {}
        }
        return Ok(ExitCode::SUCCESS);
    }
    let built = component::build(&project, Mode::Release).await?;
    built.print();
    if args.register {
        let settings = Settings::load()?;
        register::register(&project, &built.inspection, &settings.state_dir).await?;
    }
    Ok(ExitCode::SUCCESS)
}
