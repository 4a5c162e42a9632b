use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::agents::Agents;
use crate::config::Settings;
use crate::db::Db;
use crate::identity::Verifier;
use crate::tools::Tools;

/// What every handler can reach.
#[derive(Clone)]
pub struct AppState {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The database.
    pub db: Db,
    /// The tools.
    pub tools: Arc<Tools>,
    /// The agents.
    pub agents: Arc<Agents>,
    /// Turns tokens into callers.
    pub verifier: Arc<Verifier>,
    /// Renders metrics.
    pub metrics: PrometheusHandle,
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppState")
    }
}
