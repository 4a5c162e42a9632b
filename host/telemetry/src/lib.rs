//! Log lines, metrics, and the findings of `behalf doctor`. Log fields have the same names everywhere: `request.id`,
//! `tool.name`, `call.id`. No log line holds a token, a prompt, or row contents.

mod finding;
pub mod metric;
pub mod terminal;

use std::fmt;
use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use finding::{Finding, Level};

/// Bounds of latency buckets in seconds: a tool call takes from tenths of a millisecond to its deadline.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Crates that log what servers sent: bodies of failed answers, which may repeat keys or prompts (`genai`), messages and
/// names of MCP servers (`rmcp`), and notices of Postgres, which may quote values.
const SILENT: [&str; 3] = ["genai", "rmcp", "sqlx::postgres::notice"];

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The log filter cannot be parsed.
    #[error("BEHALF_LOG is not a log filter such as `info` or `behalf=debug,info`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The metrics recorder cannot be built.
    #[error("cannot set up metrics")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// The filter of log lines: what the operator asks for, without crates that log what strangers wrote.
pub fn log_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let mut filter = EnvFilter::try_new(filter)?;
    for silent in SILENT {
        filter = filter.add_directive(format!("{silent}=off").parse()?);
    }
    Ok(filter)
}

/// Starts logging to standard error: text for a person at a terminal, JSON lines for a machine.
pub fn init_logs(filter: &str, format: Option<&str>) -> Result<(), TelemetryError> {
    let filter = log_filter(filter)?;
    let json = match format {
        Some(format) => format == "json",
        None => !std::io::stderr().is_terminal(),
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start in one process (tests) keeps the first one's settings.
    let _ =
        if json { registry.with(layer.json()).try_init() } else { registry.with(layer.with_target(false)).try_init() };
    Ok(())
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The metrics in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Sorts measured times into their buckets. Between two of these calls each measured time takes memory, so it is made
    /// every few seconds, whether or not somebody reads the metrics.
    pub fn sort_times(&self) {
        self.0.run_upkeep();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Starts recording metrics. In a process that already does, the first recorder stays and this handle stays empty.
pub fn init_metrics() -> Result<Metrics, TelemetryError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .build_recorder();
    let handle = recorder.handle();
    let _ = metrics::set_global_recorder(recorder);
    metric::begin();
    Ok(Metrics(handle))
}
