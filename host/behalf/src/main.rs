//! The `behalf` program; `behalf --help` lists its commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    behalf::cli::run()
}
