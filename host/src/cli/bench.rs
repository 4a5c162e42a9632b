#[derive(Debug, clap::Subcommand)]
pub(super) enum BenchCommand { Call }
pub(super) async fn run(_args: BenchCommand) -> anyhow::Result<()> { Ok(()) }
