//! Log lines, metrics, traces, and the findings of `behalf doctor`. Log fields have the same names everywhere: `request.id`,
//! `tool.name`, `call.id`. No log line holds a token, a prompt, or row contents.

mod described;
mod finding;
pub mod metric;
mod process;
pub mod terminal;
pub mod trace;

use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

pub use finding::{Finding, Level};
pub use trace::{TraceOptions, Traces};

/// Bounds of latency buckets in seconds: a tool call takes from tenths of a millisecond to its deadline.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Crates that log what servers sent: bodies of failed answers, which may repeat keys or prompts (`genai`), messages and
/// names of MCP servers (`rmcp`), and notices of Postgres, which may quote values. Spans of traces
/// are no part of log lines.
const SILENT: [&str; 4] = ["genai", "rmcp", "sqlx::postgres::notice", trace::TARGET];

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The log filter cannot be parsed.
    #[error("BEHALF_LOG is not a log filter such as `info` or `behalf=debug,info`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The collector's address, or another of `OTEL_*`, cannot be used.
    #[error("traces cannot be sent: {0}; check OTEL_EXPORTER_OTLP_ENDPOINT and the other variables OTEL_…")]
    Traces(String),
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

/// Whether lines on standard error are JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Chooses the format of lines on standard error: `json` or `text`; by default text for a person at a terminal, JSON for a machine.
pub fn choose_format(format: Option<&str>) -> bool {
    let json = match format {
        Some(format) => format == "json",
        None => !std::io::stderr().is_terminal(),
    };
    IS_JSON.store(json, Ordering::Relaxed);
    json
}

/// Says on standard error why a command ends, in the format that was chosen.
pub fn tell_failure(why: &str) {
    if !IS_JSON.load(Ordering::Relaxed) {
        eprintln!("behalf: {why}");
        return;
    }
    let timestamp = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let fields = serde_json::json!({ "message": why });
    let line = serde_json::json!({ "timestamp": timestamp, "level": "ERROR", "fields": fields, "target": "behalf" });
    eprintln!("{line}");
}

/// Starts logging to standard error.
pub fn init_logs(filter: &str, format: Option<&str>) -> Result<(), TelemetryError> {
    init(filter, format, &TraceOptions::default()).map(drop)
}

/// Starts logging to standard error, and sending traces where they are wanted.
pub fn init(filter: &str, format: Option<&str>, traces: &TraceOptions) -> Result<Traces, TelemetryError> {
    let filter = log_filter(filter)?;
    let json = choose_format(format);
    let (traces, made) = Traces::begin(traces)?;
    // Traces have their own filter, so that they are complete whatever is logged.
    let spans = made.map(|made| {
        let layer = tracing_opentelemetry::layer().with_tracer(made).with_location(false).with_threads(false);
        layer.with_target(false).with_tracked_inactivity(false).with_filter(filter_fn(is_traced))
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A file would be full of what a terminal takes for colours.
    let lines = if std::io::stderr().is_terminal() { lines } else { lines.with_ansi(false) };
    let lines = if json {
        // The list of spans has the innermost one as well.
        lines.json().with_current_span(false).with_filter(filter).boxed()
    } else {
        lines.with_target(false).with_filter(filter).boxed()
    };
    // A second start in one process (tests) keeps the first one's settings.
    let _ = tracing_subscriber::registry().with(spans).with(lines).try_init();
    Ok(traces)
}

/// Spans of traces, and those of requests, which log lines have as well.
fn is_traced(meta: &tracing::Metadata<'_>) -> bool {
    meta.is_span() && (meta.target() == trace::TARGET || meta.name() == REQUEST)
}

/// The name of the span of a request.
const REQUEST: &str = "request";

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The metrics in Prometheus's text format.
    pub fn render(&self) -> String {
        metric::process(&process::values());
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
    described::describe();
    metric::begin();
    Ok(Metrics(handle))
}
