use anyhow::Context;

use super::stop_signal;
use crate::app::App;
use crate::config::Settings;
use crate::telemetry;

/// Production: settings from outside, nothing is made or migrated.
pub(super) async fn run() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    telemetry::init_logs(&settings.log, settings.log_format.as_deref())?;
    super::doctor::refuse_unsafe(&settings).await?;
    let app = App::build(settings, std::env::current_exe().ok()).await?;
    let address = app.address().context("no address")?;
    tracing::info!(%address, "serving");
    app.serve(stop_signal()).await?;
    Ok(())
}
