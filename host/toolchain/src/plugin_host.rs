//! A host without HTTP: plugins and their calls, on the database of a command.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use behalf_caller_db::CallerDb;
use behalf_config::Settings;
use behalf_host_db::{Act, HostDb, Sealer};
use behalf_identity::new_secrets_key;
use behalf_jobs::Jobs;
use behalf_sandbox::{HttpTrial, Sandbox, SandboxOptions};
use behalf_tools::{PluginStore, RegistryStore, Signatures, Tools, ToolsOptions};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use crate::component::{sandbox_options, sandbox_with_cache};
use crate::test_database::TestDatabase;
use crate::trial_documents::{TrialDocument, TrialDocuments};
use crate::trial_memories::TrialMemories;
use crate::trial_objects::TrialObjects;

/// How long background jobs may take to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Who signs the assertions of a command's requests. The name leads nowhere, so no server takes them for those of a host.
const ISSUER: &str = "http://behalf-tool.invalid";

/// A host without HTTP. Calls cost no credits, and plugins need no signature.
#[derive(Debug)]
pub(crate) struct PluginHost {
    pub(crate) db: HostDb,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) tools: Tools,
    pub(crate) objects: Arc<TrialObjects>,
    pub(crate) documents: Arc<TrialDocuments>,
    pub(crate) memories: Arc<TrialMemories>,
    caller_db: CallerDb,
    jobs: Jobs,
    /// For how many days compiled code that nobody uses stays in the user's cache; 0: for ever.
    code_days: u32,
    _dir: TempDir,
}

impl PluginHost {
    /// Connects to the database and loads the registry. `documents` are those of the users' knowledge bases, and `http` answers
    /// requests in place of servers; where it is absent, they are sent.
    pub(crate) async fn start(
        database: &TestDatabase,
        settings: &Settings,
        documents: Vec<TrialDocument>,
        http: Option<Arc<dyn HttpTrial>>,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("there is no folder for temporary files")?;
        let (objects, memories) = (Arc::new(TrialObjects::default()), Arc::new(TrialMemories::default()));
        let documents = Arc::new(TrialDocuments::new(documents));
        let options = sandbox_options(dir.path(), settings.http_allow_private.clone());
        let options = SandboxOptions {
            objects: Some(Arc::clone(&objects) as _),
            knowledge: Some(Arc::clone(&documents) as _),
            memory: Some(Arc::clone(&memories) as _),
            http,
            ..options
        };
        let sandbox = Arc::new(sandbox_with_cache(options, settings)?);
        let jobs = Jobs::new();
        let (db, caller_db) = database.connect(settings.tool_memory_mib, &jobs).await?;
        let options = ToolsOptions {
            host_db: db.clone(),
            caller_db: caller_db.clone(),
            sandbox: Arc::clone(&sandbox),
            credits: None,
            exposed_schemas: settings.exposed_schemas.clone(),
            signatures: Signatures::default(),
            // Secrets live as long as the command, and nobody else opens them.
            sealer: Arc::new(Sealer::new(Some(&new_secrets_key()?), None)?),
        };
        let tools = Tools::start(options, &jobs).await?;
        tools.signer.start(ISSUER, Duration::ZERO, &jobs).await?;
        let code_days = settings.retention.retention_compiled;
        Ok(Self { db, sandbox, tools, objects, documents, memories, caller_db, jobs, code_days, _dir: dir })
    }

    /// Deletes the plugins that `is_meant` picks by their name and age.
    pub(crate) async fn delete_plugins(&self, is_meant: impl Fn(&str, TimeDelta) -> bool) -> anyhow::Result<()> {
        let plugins = PluginStore::new(self.db.clone());
        for plugin in RegistryStore::new(self.db.clone()).read().await?.plugins {
            let created = DateTime::parse_from_rfc3339(&plugin.created_at).ok();
            let age = created.map_or(TimeDelta::zero(), |created| Utc::now().signed_duration_since(created));
            if is_meant(&plugin.name, age) {
                // Another command may have deleted it.
                plugins.delete(Act::Host, plugin.id).await?;
            }
        }
        Ok(())
    }

    /// Waits until every row of the audit log is written.
    pub(crate) async fn flush(&self) {
        self.caller_db.audit().flush().await;
    }

    /// Stops the background jobs and closes the connections.
    pub(crate) async fn close(self) {
        // The writers of rows end with it, so that the jobs have ended at once.
        self.caller_db.close().await;
        let unused = (self.code_days > 0).then(|| Duration::from_hours(24 * u64::from(self.code_days)));
        // What cannot be deleted now is tried again by the next command.
        self.sandbox.prune(unused, None).await.ok();
        self.jobs.shutdown(GRACE).await;
        self.db.close().await;
    }
}
