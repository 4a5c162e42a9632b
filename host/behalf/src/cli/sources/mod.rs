//! `behalf sources`: uploads documents for a user, and lists them.

mod add;
mod bars;
mod base;
mod files;
mod host;
mod list;
mod upload;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use host::HostArgs;

/// `behalf sources`
#[derive(Debug, Subcommand)]
pub(super) enum SourcesCommand {
    /// Upload files as a user's sources, and wait until the host has read them, and indexed them where a knowledge base is named.
    ///
    /// Exit code 1 if a file could not be uploaded, read or indexed. A file that the user has already is said to be there, and is no failure.
    /// Ctrl-C ends the command; what was uploaded stays, and the host goes on to read it.
    Add(add::AddArgs),
    /// List the sources that a user sees.
    List(list::ListArgs),
}

/// The user and the host of a command.
#[derive(Debug, Args)]
struct UserArgs {
    /// The user for whom the command acts: an id or an e-mail address; `alice` and `bob` name the demo users.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    #[command(flatten)]
    host: HostArgs,
}

impl SourcesCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add(args) => add::run(&args).await,
            Self::List(args) => list::run(&args).await.map(|()| ExitCode::SUCCESS),
        }
    }
}
