//! The commands of tool authors, `behalf tool …`: make a project, build it, check it, look into it, call it, sign and publish it.
//!
//! Also holds what `behalf dev` shares with them: the demo's rows, the file `dev.env`, and the wait for a stop signal. Imports
//! foundations and `behalf-tools`. Never does: give a component more than its grants say, or print a stranger's text as it is.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

mod audit_row;
mod build;
mod cache;
mod callers;
mod check;
mod component;
pub mod demo;
mod dev_env;
mod grants;
mod inspect;
mod json_argument;
mod kept_cluster;
mod language;
mod login;
mod manifest;
mod new;
mod oci;
mod package;
mod plugin_host;
mod printable;
mod project;
mod published;
mod pull;
mod push;
mod run;
mod session_limit;
mod sign;
mod stop_signal;
mod test_database;
mod trial_documents;
mod trial_http;
mod trial_memories;
mod trial_objects;
mod whole_file;

use std::process::ExitCode;

use clap::Subcommand;
use futures::future::LocalBoxFuture;

pub use component::sandbox_options;
pub use dev_env::DevEnv;
pub use language::Language;
pub use login::login_address;
pub use manifest::{CheckCall, CheckTable, Manifest};
pub use oci::RegistryArgs;
pub use printable::printable;
pub use project::Project;
pub use published::PublishedPlugin;
pub use session_limit::session_limit;
pub use stop_signal::stop_signal;

/// `behalf tool …`
#[derive(Debug, Subcommand)]
pub enum ToolCommand {
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
    /// Sign a component, its name, version and grants.
    Sign(sign::SignArgs),
    /// Store a component in an OCI registry.
    Push(push::PushArgs),
    /// Fetch a component from an OCI registry.
    Pull(pull::PullArgs),
}

impl ToolCommand {
    /// Runs the command. Its answer goes to standard output, everything else to standard error.
    ///
    /// Boxed, so that the commands are compiled with this crate and not with the program that runs them.
    pub fn run(self) -> LocalBoxFuture<'static, anyhow::Result<ExitCode>> {
        Box::pin(async move {
            match self {
                Self::New(args) => new::run(&args),
                Self::Build(args) => build::run(args).await,
                Self::Check(args) => check::run(args).await,
                Self::Inspect(args) => inspect::run(&args).await,
                Self::Run(args) => run::run(args).await,
                Self::Sign(args) => sign::run(&args).await,
                Self::Push(args) => push::run(&args).await,
                Self::Pull(args) => pull::run(&args).await,
            }
        })
    }
}
