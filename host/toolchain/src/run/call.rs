//! One call of a component that is registered for it alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use behalf_config::Settings;
use behalf_contracts::{CallContext, CallOutcome, ToolCallError};
use behalf_host_db::Act;
use behalf_identity::Principal;
use behalf_sandbox::Inspection;
use behalf_tools::{PluginChange, Upload};
use chrono::TimeDelta;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::report::Report;
use crate::audit_row::AuditRows;
use crate::grants::missing_grants;
use crate::plugin_host::PluginHost;
use crate::printable::printable;
use crate::test_database::TestDatabase;
use crate::trial_documents::TrialDocument;

/// How the names of plugins begin that this command registers for one call.
const PREFIX: &str = "tool-run-";
/// The age from which such a plugin was left by a command that was killed; no call takes so long.
const LEFT_BEHIND: TimeDelta = TimeDelta::minutes(15);

/// One call, and what it needs.
pub(super) struct Call<'a> {
    pub(super) tool: &'a str,
    pub(super) arguments: Value,
    pub(super) grants: Value,
    pub(super) settings: Option<Value>,
    /// Values for the secrets that the grants name.
    pub(super) secrets: BTreeMap<String, String>,
    /// The documents of the users' knowledge bases.
    pub(super) documents: Vec<TrialDocument>,
    /// The caller.
    pub(super) principal: Arc<Principal>,
    /// The service role, which reads the audit log.
    pub(super) service: Arc<Principal>,
}

impl Call<'_> {
    /// Registers the component under a name of its own, calls it, and deletes it again, however the call ends.
    pub(super) async fn make(
        self,
        database: &TestDatabase,
        settings: &Settings,
        inspection: Inspection,
        stop: &mut JoinHandle<&'static str>,
    ) -> anyhow::Result<Report> {
        let host = PluginHost::start(database, settings, self.documents.clone(), None).await?;
        host.delete_plugins(|name, age| name.starts_with(PREFIX) && age > LEFT_BEHIND).await?;
        // Short, because the tool is called by its full name, and models take 64 characters.
        let unique = Uuid::new_v4().simple().to_string();
        let name = format!("{PREFIX}{}", unique.get(..12).unwrap_or(&unique));
        let missing = missing_grants(&inspection.imports, &self.grants);
        let upload = Upload {
            component: inspection.component,
            grants: self.grants.clone(),
            name: Some(name.clone()),
            version: None,
            replace: false,
        };
        let result = match host.tools.installer.register(Act::Host, upload).await {
            Ok(plugin) => match self.configure(&host, plugin.id).await {
                Ok(()) => self.call(&host, &format!("{name}__{}", self.tool), stop).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(anyhow::Error::from(error).context("the component cannot be registered")),
        };
        let deleted = host.delete_plugins(|other, _| other == name).await;
        host.flush().await;
        let report = match result {
            Ok(result) => {
                let row = self.audit_row(&host, result.as_ref().map(|outcome| outcome.call_id)).await;
                Ok(Report { result, row, missing })
            }
            Err(error) => Err(error),
        };
        host.close().await;
        deleted
            .with_context(|| format!("the plugin {name} could not be deleted; delete it with DELETE /api/plugins/…"))?;
        report
    }

    async fn configure(&self, host: &PluginHost, plugin: Uuid) -> anyhow::Result<()> {
        if let Some(settings) = &self.settings {
            let change = PluginChange { grants: None, enabled: None, settings: Some(settings.clone()) };
            host.tools.installer.change(Act::Host, plugin, change).await.context("the plugin's settings")?;
        }
        for (name, value) in &self.secrets {
            let set = host.tools.plugin_secrets.set(Act::Host, plugin, name, value.trim()).await;
            set.with_context(|| format!("the secret {}", printable(name)))?;
        }
        Ok(())
    }

    async fn call(
        &self,
        host: &PluginHost,
        tool: &str,
        stop: &mut JoinHandle<&'static str>,
    ) -> anyhow::Result<Result<CallOutcome, ToolCallError>> {
        let (to, reports) = mpsc::channel(64);
        let progress = tokio::spawn(print_progress(reports));
        let work =
            host.tools.caller.call(&self.principal, tool, self.arguments.clone(), CallContext::default(), Some(to));
        let result = tokio::select! {
            biased;
            _ = stop => bail!("stopped; the call was rolled back"),
            result = work => result,
        };
        tokio::time::timeout(Duration::from_secs(1), progress).await.ok();
        Ok(result)
    }

    async fn audit_row(&self, host: &PluginHost, call: Result<Uuid, &ToolCallError>) -> Option<Value> {
        let (Ok(call_id) | Err(&ToolCallError::Call { call_id, .. })) = call else { return None };
        AuditRows::new(host.db.clone(), Arc::clone(&self.service)).row(call_id).await.ok()?
    }
}

async fn print_progress(mut reports: mpsc::Receiver<behalf_sandbox::Report>) {
    while let Some(report) = reports.recv().await {
        let report = match report {
            behalf_sandbox::Report::Progress(report) => report,
            behalf_sandbox::Report::Part(part) => {
                eprintln!("behalf: part {}", printable(&part.json));
                continue;
            }
        };
        let total = report.total.map(|total| format!(" of {total}")).unwrap_or_default();
        eprintln!(
            "behalf: progress {}{total} {}",
            report.done,
            printable(report.message.as_deref().unwrap_or_default())
        );
    }
}
