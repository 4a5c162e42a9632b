use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use uuid::Uuid;

use super::error::ApiError;
use super::limits::Limits;
use crate::agents::Agents;
use crate::config::Settings;
use crate::db::{AuditAction, Db};
use crate::identity::{Principal, Verifier};
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
    /// How often callers may ask.
    pub limits: Arc<Limits>,
    /// Renders metrics.
    pub metrics: PrometheusHandle,
}

impl AppState {
    /// The caller's request made for `user`, noted in the audit trail before anything else happens. `route` says where.
    pub(super) async fn acting_for(
        &self,
        caller: &Principal,
        user: Uuid,
        request_id: Option<&str>,
        route: &str,
    ) -> Result<Principal, ApiError> {
        let acting = caller.act_as(user)?;
        self.db.note_acting(&acting, AuditAction::ActAsUsed, request_id, route).await?;
        Ok(acting)
    }
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppState")
    }
}
