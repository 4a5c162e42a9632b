//! `behalf completions`: prints a script with which a shell completes commands and options.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

const PROGRAM: &str = "behalf";

/// `behalf completions`
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell that loads the script.
    shell: Shell,
}

/// Prints the script. It completes what `cli` takes, except its hidden commands.
pub(super) fn run(args: &CompletionsArgs, cli: &Command) -> anyhow::Result<()> {
    // `generate` takes hidden commands as well.
    let shown = cli.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut shown = Command::new(PROGRAM).version(env!("CARGO_PKG_VERSION")).subcommands(shown);
    // `generate` panics where it cannot write, for example where the reader of a pipe went away.
    let mut script = Vec::new();
    generate(args.shell, &mut shown, PROGRAM, &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(())
}
