//! What operators and balancers ask: is the process alive, is the host ready, and how is it doing.

use std::sync::Arc;

use axum::extract::State;
use behalf_caller_db::CallerDb;
use behalf_host_db::HostDb;
use behalf_tools::Tools;
use behalf_web::{ApiError, Json, Routes, routes as group};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use utoipa::ToSchema;

/// What the handlers look at.
#[derive(Clone)]
pub(super) struct Health(Arc<Parts>);

struct Parts {
    host_db: HostDb,
    caller_db: CallerDb,
    tools: Tools,
    metrics: PrometheusHandle,
}

impl Health {
    pub(super) fn new(host_db: HostDb, caller_db: CallerDb, tools: Tools, metrics: PrometheusHandle) -> Self {
        Self(Arc::new(Parts { host_db, caller_db, tools, metrics }))
    }
}

pub(super) fn routes(health: Health) -> Routes {
    Routes::new()
        .routes(group!(alive))
        .routes(group!(healthy))
        .routes(group!(ready))
        .routes(group!(metrics_text))
        .with_state(health)
}

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    status: &'static str,
    service: &'static str,
    version: &'static str,
}

/// The process answers, in the words of the platform.
#[derive(Debug, Serialize, ToSchema)]
struct Healthy {
    status: &'static str,
    service: &'static str,
}

/// The host can serve.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    status: &'static str,
}

/// Whether the process is alive
#[utoipa::path(get, path = "/healthz", tag = "Operations", security(()), responses((status = 200, body = Alive)))]
async fn alive() -> Json<Alive> {
    Json(Alive { status: "healthy", service: "behalf", version: env!("CARGO_PKG_VERSION") })
}

/// Whether the process is alive, word by word as the platform's clients expect it
#[utoipa::path(get, path = "/api/health", tag = "Operations", security(()), responses((status = 200, body = Healthy)))]
async fn healthy() -> Json<Healthy> {
    Json(Healthy { status: "healthy", service: "project-service" })
}

/// Whether the host can serve: the database answers
#[utoipa::path(get, path = "/readyz", tag = "Operations", security(()), responses((status = 200, body = Ready)))]
async fn ready(State(Health(parts)): State<Health>) -> Result<Json<Ready>, ApiError> {
    parts.host_db.ping().await.map_err(|_| ApiError::unavailable("the database does not answer"))?;
    Ok(Json(Ready { status: "ready" }))
}

/// Metrics in the text format of Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "Operations", security(()), operation_id = "metrics",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
async fn metrics_text(State(Health(parts)): State<Health>) -> String {
    let (in_use, idle) = parts.caller_db.tool_connections();
    for (name, value) in [
        ("behalf_tool_connections_in_use", in_use),
        ("behalf_tool_connections_idle", idle),
        ("behalf_tool_calls_running", parts.tools.sandbox().running_calls()),
    ] {
        // Counts are far below the numbers that a float holds exactly.
        metrics::gauge!(name).set(u32::try_from(value).map_or(f64::NAN, f64::from));
    }
    parts.metrics.render()
}
