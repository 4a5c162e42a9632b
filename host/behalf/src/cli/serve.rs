//! `behalf serve`: the host in production.

use std::time::Duration;

use anyhow::Context;

use crate::app::{App, FromSettings, Front, Stopping};
use behalf_config::{Settings, environment};
use behalf_telemetry::{TraceOptions, choose_format, init};
use behalf_toolchain::stop_signal;

/// Production: settings from outside, nothing is made or migrated.
pub(super) async fn run() -> anyhow::Result<()> {
    // Settings that cannot be read are said in this format as well.
    choose_format(environment("BEHALF_LOG_FORMAT").as_deref());
    let settings = Settings::load()?;
    let traces = init(&settings.log, settings.log_format.as_deref(), &trace_options(&settings))?;
    let served = serve(settings).await;
    // Sending what is left blocks its thread.
    tokio::task::spawn_blocking(move || traces.shutdown()).await.ok();
    served
}

/// Traces are sent where a collector is named, unless they are switched off.
fn trace_options(settings: &Settings) -> TraceOptions {
    let endpoint = settings.otel_exporter_otlp_endpoint.clone();
    let is_given = |name: &str| environment(name).is_some();
    let is = |name: &str, value: &str| environment(name).is_some_and(|given| given.eq_ignore_ascii_case(value));
    let is_named = is_given("OTEL_EXPORTER_OTLP_ENDPOINT") || is_given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let is_off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    let attributes = environment("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    TraceOptions {
        is_wanted: (endpoint.is_some() || is_named) && !is_off,
        endpoint,
        is_named: is_given("OTEL_SERVICE_NAME") || attributes.contains("service.name="),
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
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
        signal = &mut stop => {
            tracing::info!(reason = signal, "the host stops before it was ready");
            return Ok(());
        }
    };
    let address = app.address().context("no address")?;
    tracing::info!(%address, "serving");
    let drain = Duration::from_secs(settings.operations.drain_seconds);
    app.serve(async move { Stopping::slowly(stop.await, drain) }).await?;
    Ok(())
}
