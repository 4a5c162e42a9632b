//! What operators and balancers ask: is the process alive, is the host ready, and how is it doing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use behalf_caller_db::{CallerDb, ExposureWatch};
use behalf_host_db::HostDb;
use behalf_telemetry::{Metrics, metric};
use behalf_tools::Tools;
use behalf_web::{ApiError, Json, Recent, Routes, routes as group};
use serde::Serialize;
use utoipa::ToSchema;

use super::stopping::IsStopping;

/// How old an answer of the database may be. Everybody may ask whether the host is ready, and asking must cost little. With the time
/// that the database may take to answer, a host says within a second that it is away.
const READY_AGE: Duration = Duration::from_millis(250);

/// What the handlers look at.
#[derive(Clone)]
pub(super) struct Health(Arc<Parts>);

struct Parts {
    host_db: HostDb,
    caller_db: CallerDb,
    tools: Tools,
    exposure: ExposureWatch,
    metrics: Metrics,
    is_stopping: IsStopping,
    is_ready: Recent<bool>,
}

impl Health {
    pub(super) fn new(
        (host_db, caller_db): (HostDb, CallerDb),
        tools: Tools,
        exposure: ExposureWatch,
        metrics: Metrics,
        is_stopping: IsStopping,
    ) -> Self {
        let is_ready = Recent::new(READY_AGE);
        Self(Arc::new(Parts { host_db, caller_db, tools, exposure, metrics, is_stopping, is_ready }))
    }
}

/// The routes that say that the process is alive, whatever it is doing.
pub(super) fn liveness() -> Routes {
    Routes::new().routes(group!(alive)).routes(group!(healthy))
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
    /// How many tables and views show every row to callers. The log and `behalf doctor` name them.
    exposed_relations: usize,
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

/// Whether the host can serve: it has started and does not stop, the database answers, and servers that check assertions know this host's key
#[utoipa::path(get, path = "/readyz", tag = "Operations", security(()), responses((status = 200, body = Ready)))]
async fn ready(State(Health(parts)): State<Health>) -> Result<Json<Ready>, ApiError> {
    if parts.is_stopping.get() {
        return Err(ApiError::unavailable("this host is stopping; send requests to another one"));
    }
    if !parts.is_ready.get(async { parts.host_db.answers().await }).await {
        return Err(ApiError::unavailable("the database does not answer"));
    }
    if let Some(wait) = parts.tools.signer.wait_while_others_serve() {
        let seconds = wait.as_secs().saturating_add(1);
        return Err(ApiError::unavailable(format!(
            "this host's new key for assertions is not known everywhere yet; it is in {seconds} s, and other hosts serve until then"
        )));
    }
    Ok(Json(Ready { status: "ready", exposed_relations: parts.exposure.count() }))
}

/// Metrics in the text format of Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "Operations", security(()), operation_id = "metrics",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
async fn metrics_text(State(Health(parts)): State<Health>) -> String {
    let connections = parts.caller_db.tool_connections();
    metric::tool_connections(connections.in_use, connections.idle);
    metric::tool_connections_ending(connections.ending);
    metric::tool_connections_awaited(connections.waiting);
    let (in_use, idle) = parts.host_db.connections();
    metric::host_connections(in_use, idle);
    metric::exposed_relations(parts.exposure.count());
    let sandbox = parts.tools.sandbox();
    metric::tool_calls_running(sandbox.running_calls());
    metric::tool_calls_waiting(sandbox.waiting_calls());
    parts.metrics.render()
}
