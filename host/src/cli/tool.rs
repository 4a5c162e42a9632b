use std::process::ExitCode;
#[derive(Debug, clap::Subcommand)]
pub(super) enum ToolCommand { Inspect }
pub(super) async fn run(_args: ToolCommand) -> anyhow::Result<ExitCode> { Ok(ExitCode::FAILURE) }
