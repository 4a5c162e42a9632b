use std::process::ExitCode;
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {}
pub(super) async fn run(_args: &DoctorArgs) -> anyhow::Result<ExitCode> { Ok(ExitCode::FAILURE) }
pub(super) async fn refuse_unsafe(_settings: &crate::config::Settings) -> anyhow::Result<()> { Ok(()) }
