use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use behalf_conformance::{
    ALICE_MARK, BOB_MARK, BetweenCalls, Call, CallRecord, Caller, Definitions, DefinitionsFailure, DeniedStatements,
    Facts, Refusal, Rows, Setup, TestBed, TestBedError,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::callers::Callers;
use super::seen::{outcome_alone, refusal, seen, unanswered};
use crate::cli::tool::place::Place;
use crate::cli::tool::sandbox_options;
use crate::config::Settings;
use crate::db::{Db, Fixture, PluginChange};
use crate::sandbox::{Before, CallError, Inspection, Sandbox};
use crate::tools::{CallContext, Tools, TrialCall, Upload};

/// How long the host may take to clean up after a cancelled call.
const CLEAN_UP: Duration = Duration::from_secs(20);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(3);
/// Rows of the audit log among which the call's is looked for.
const AUDIT_ROWS: i64 = 20;
/// A call that finds no place, because the last one is still being cleared away, is made again.
const TRIES: usize = 5;

/// This host, with the component and a database for it alone.
pub(super) struct HostGround {
    facts: Facts,
    inspection: Inspection,
    db: Db,
    tools: Arc<Tools>,
    sandbox: Arc<Sandbox>,
    fixture: Arc<Fixture>,
    callers: Callers,
    plugin: OnceLock<Uuid>,
    _dir: TempDir,
}

impl HostGround {
    pub(super) async fn prepare(
        place: &Place,
        settings: &Settings,
        facts: Facts,
        inspection: Inspection,
        fixture: Fixture,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("there is no folder for temporary files")?;
        let sandbox = Arc::new(Sandbox::new(sandbox_options(dir.path(), settings.http_allow_private.clone()))?);
        let db = Db::connect(&place.options()).await?;
        let tools = Tools::start(db.clone(), Arc::clone(&sandbox), settings.exposed_schemas.clone()).await?;
        let (fixture, callers) = (Arc::new(fixture), Callers::new().await?);
        Ok(Self { facts, inspection, db, tools, sandbox, fixture, callers, plugin: OnceLock::new(), _dir: dir })
    }

    /// Takes the plugin and what was made to look at the rows away again.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        if let Some(plugin) = self.plugin.get() {
            self.tools.delete_plugin(*plugin).await?;
        }
        self.db.audit().flush().await;
        self.db.close().await;
        if let Some(fixture) = Arc::into_inner(self.fixture) {
            fixture.close().await?;
        }
        Ok(())
    }

    fn plugin(&self) -> Result<Uuid, TestBedError> {
        self.plugin.get().copied().ok_or_else(|| TestBedError("the plugin is not registered".to_owned()))
    }

    fn trial(&self, caller: Caller, tool: &str, arguments: &str) -> Result<TrialCall, TestBedError> {
        Ok(TrialCall {
            principal: self.callers.principal(caller),
            plugin: self.plugin()?,
            tool: tool.to_owned(),
            arguments: arguments.to_owned(),
        })
    }

    /// Waits until a call that nobody waits for has ended: its row of the audit log is closed, its transaction over.
    async fn settle(&self, request: &str) -> Result<(), TestBedError> {
        let service = self.callers.principal(Caller::Service);
        let waited = tokio::time::timeout(CLEAN_UP, async {
            loop {
                self.db.audit().flush().await;
                let rows = self.db.tool_calls(&service, AUDIT_ROWS, 0).await.map_err(fails)?;
                let ended = rows.iter().any(|row| row["request_id"] == request && row["outcome"] != "started");
                if ended && !self.fixture.is_busy().await.map_err(fails)? {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        waited.await.map_err(|_| TestBedError("the host did not clean up after a cancelled call".to_owned()))?
    }
}

impl TestBed for HostGround {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    async fn definitions(&self, times: usize) -> Result<Result<Definitions, DefinitionsFailure>, TestBedError> {
        Ok(match self.sandbox.definitions_again(&self.inspection, times).await {
            Ok(all) => Ok(Definitions { answers: all.answers, start: all.first, memory_bytes: all.memory_bytes }),
            Err(error) => Err(unanswered(&error)),
        })
    }

    async fn register(&self, setup: &Setup) -> Result<Result<(), Refusal>, TestBedError> {
        let upload = Upload {
            component: self.inspection.component.clone(),
            grants: setup.grants.clone(),
            name: Some(format!("tool-check-{}", Uuid::new_v4().simple())),
            version: None,
            replace: false,
        };
        let info = match self.tools.register(upload).await {
            Ok(info) => info,
            Err(error) => return refusal(&error).map(Err).ok_or_else(|| fails(error)),
        };
        self.plugin.set(info.id).ok();
        if let Some(missing) = self.tools.missing_grant(info.id).await.map_err(fails)? {
            return Ok(Err(Refusal::Grants(missing)));
        }
        self.configure(setup).await?;
        Ok(Ok(()))
    }

    async fn configure(&self, setup: &Setup) -> Result<bool, TestBedError> {
        let change = PluginChange {
            grants: Some(setup.grants.clone()),
            settings: Some(setup.settings.clone()),
            ..PluginChange::default()
        };
        Ok(self.tools.change_plugin(self.plugin()?, change).await.is_ok())
    }

    async fn call(&self, call: &Call) -> Result<CallRecord, TestBedError> {
        for _ in 1..TRIES {
            let trial = self.trial(call.caller, &call.tool, &call.arguments)?;
            let done = self.tools.try_call(trial, call.keep).await.map_err(fails)?;
            if !matches!(done.result, Err(CallError::Busy)) {
                return Ok(seen(done));
            }
        }
        Err(TestBedError("the host has no place for a call".to_owned()))
    }

    async fn calls_in_one_instance(
        &self,
        caller: Caller,
        tool: &str,
        arguments: &[String],
        between: BetweenCalls,
    ) -> Result<Vec<CallRecord>, TestBedError> {
        let Some((first, more)) = arguments.split_first() else { return Ok(Vec::new()) };
        let fixture = Arc::clone(&self.fixture);
        let before_last: Before = Box::pin(async move {
            // Where it fails, the rows are still there, and the calls differ: that is seen.
            if let BetweenCalls::DeleteRows(caller) = between {
                forget(&fixture, caller).await.ok();
            }
        });
        let trial = self.trial(caller, tool, first)?;
        let results = self.tools.try_calls_in_one_instance(trial, more.to_vec(), before_last).await.map_err(fails)?;
        Ok(results.into_iter().map(outcome_alone).collect())
    }

    async fn cancelled_call(&self, call: &Call, after: Duration) -> Result<(), TestBedError> {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let principal = self.callers.principal(call.caller);
        let request = Uuid::new_v4().to_string();
        let context = CallContext { request_id: Some(request.clone()), ..CallContext::default() };
        let work = self.tools.call(&principal, &call.tool, arguments, context, None);
        // Going away is dropping the call, as a request does whose client is gone.
        tokio::time::timeout(after, work).await.ok();
        self.settle(&request).await
    }

    async fn rows(&self) -> Result<Rows, TestBedError> {
        serde_json::from_value(self.fixture.rows().await.map_err(fails)?).map_err(fails)
    }

    async fn restore(&self) -> Result<(), TestBedError> {
        self.fixture.restore().await.map_err(fails)
    }

    async fn delete_rows(&self, caller: Caller) -> Result<(), TestBedError> {
        forget(&self.fixture, caller).await
    }

    async fn deny(&self, table: &str, verbs: DeniedStatements) -> Result<(), TestBedError> {
        let verbs: &[&str] = match verbs {
            DeniedStatements::All => &["select", "insert", "update", "delete"],
            DeniedStatements::Writes => &["insert", "update", "delete"],
        };
        self.fixture.deny(table, verbs).await.map_err(fails)
    }

    async fn allow(&self) -> Result<(), TestBedError> {
        self.fixture.allow().await.map_err(fails)
    }
}

async fn forget(fixture: &Fixture, caller: Caller) -> Result<(), TestBedError> {
    let (Some(subject), mark) = (caller.subject(), if caller == Caller::Alice { ALICE_MARK } else { BOB_MARK }) else {
        return Ok(());
    };
    fixture.forget(subject, mark).await.map_err(fails)
}

/// The ground gives way: the error with its causes.
fn fails(error: impl Into<anyhow::Error>) -> TestBedError {
    TestBedError(format!("the host of the check failed: {:#}", error.into()))
}
