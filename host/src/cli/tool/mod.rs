//! `behalf tool …`: what a component is, and what it does.

mod build;
mod check;
mod describe;
mod inspect;
mod new;
mod oci;
mod outcome;
mod package;
mod place;
mod project;
mod pull;
mod push;
mod run;
mod sign;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

pub(super) use project::{Language, Project};

use crate::sandbox::{Compiler, Inspection, SandboxOptions, inspect as inspect_component};

/// `behalf tool …`
#[derive(Debug, Subcommand)]
pub(super) enum ToolCommand {
    /// Make a project that builds, in the language of your choice.
    New(new::NewArgs),
    /// Build the component of a project, whatever its language.
    Build(build::BuildArgs),
    /// Check everything that a plugin promises.
    Check(check::CheckArgs),
    /// Show what a component could ever do, and its tools.
    Inspect(inspect::InspectArgs),
    /// Make one call, on a throw-away database or on one that is given.
    Run(run::RunArgs),
    /// Vouch for a component, its name, version and grants.
    Sign(sign::SignArgs),
    /// Store a component in an OCI registry.
    Push(push::PushArgs),
    /// Fetch a component from an OCI registry.
    Pull(pull::PullArgs),
}

pub(super) async fn run(command: ToolCommand) -> anyhow::Result<ExitCode> {
    match command {
        ToolCommand::New(args) => new::run(&args),
        ToolCommand::Build(args) => build::run(args).await,
        ToolCommand::Check(args) => check::run(args).await,
        ToolCommand::Inspect(args) => inspect::run(&args).await,
        ToolCommand::Run(args) => run::run(args).await,
        ToolCommand::Sign(args) => sign::run(&args).await,
        ToolCommand::Push(args) => push::run(&args).await,
        ToolCommand::Pull(args) => pull::run(&args).await,
    }
}

/// Reads a component from a file and inspects it.
async fn read_component(file: &Path) -> anyhow::Result<Inspection> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let inspection = tokio::task::spawn_blocking(move || inspect_component(&bytes)).await?;
    inspection.with_context(|| format!("{} is no plugin", file.display()))
}

/// A sandbox that leaves nothing behind. A stranger's component is compiled in a process of its own.
pub(super) fn sandbox_options(dir: &Path, http_allow_private: Vec<String>) -> SandboxOptions {
    SandboxOptions {
        concurrent_calls: 2,
        cache_dir: dir.join("compiled"),
        compiler: std::env::current_exe().map_or(Compiler::Here, Compiler::Process),
        http_allow_private,
        workspace_dir: dir.join("workspaces"),
    }
}

/// A stranger's text without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
