//! `behalf serve`: the host in production.

use anyhow::Context;

use crate::app::{App, FromSettings, Front};
use behalf_config::Settings;
use behalf_telemetry::init_logs;
use behalf_toolchain::stop_signal;

/// Production: settings from outside, nothing is made or migrated.
pub(super) async fn run() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    init_logs(&settings.log, settings.log_format.as_deref())?;
    // A slow database makes the checks slow, so the host listens before them. Until they pass, it refuses every call.
    let parts = FromSettings::read(&settings)?;
    let front = Front::open(&settings).await?;
    let mut stop = Box::pin(stop_signal());
    let started = async {
        super::doctor::refuse_unsafe(&settings).await?;
        anyhow::Ok(App::build_behind(front, parts, &settings, std::env::current_exe().ok(), (None, None)).await?)
    };
    let app = tokio::select! {
        app = started => app?,
        () = &mut stop => return Ok(()),
    };
    let address = app.address().context("no address")?;
    tracing::info!(%address, "serving");
    app.serve(stop).await?;
    Ok(())
}
