//! The conformance suite's test bed: this host, a component, and a database for it alone.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use behalf_config::Settings;
use behalf_conformance::{
    ALICE, ALICE_MARK, BOB, BOB_MARK, BetweenCalls, Call, CallRecord, Caller, Definitions, DefinitionsFailure,
    DeniedStatements, Facts, Refusal, Rows, Setup, TestBed, TestBedError,
};
use behalf_contracts::CallContext;
use behalf_host_db::Act;
use behalf_identity::Principal;
use behalf_sandbox::{Before, CallError, HttpTrial, Inspection};
use behalf_tools::{ConformanceHooks, PluginChange, TrialCall, Upload};
use serde_json::{Value, json};
use uuid::Uuid;

use super::convert::{call_record, definitions_failure, outcome_record, refusal};
use super::fixture::Fixture;
use crate::audit_row::AuditRows;
use crate::callers::Callers;
use crate::plugin_host::PluginHost;
use crate::test_database::TestDatabase;
use crate::trial_documents::{TrialDocument, TrialDocuments};
use crate::trial_http::TrialHttp;

/// How long the host may take to clean up after a cancelled call.
const CLEAN_UP: Duration = Duration::from_secs(20);
/// How often the test bed looks whether it has.
const POLL: Duration = Duration::from_millis(3);
/// How often a call is made that finds no free slot, because the last one is still being cleaned up.
const TRIES: usize = 5;

/// This host with the component, and a database for it alone.
pub(super) struct HostTestBed {
    facts: Facts,
    inspection: Inspection,
    host: PluginHost,
    hooks: ConformanceHooks,
    fixture: Arc<Fixture>,
    http: Option<Arc<TrialHttp>>,
    callers: SuiteCallers,
    audit: AuditRows,
    plugin: OnceLock<Uuid>,
}

/// The callers of the suite.
struct SuiteCallers {
    alice: Arc<Principal>,
    bob: Arc<Principal>,
    anon: Arc<Principal>,
    service: Arc<Principal>,
}

impl SuiteCallers {
    async fn new() -> anyhow::Result<Self> {
        let callers = Callers::new()?;
        Ok(Self {
            alice: callers.user(ALICE).await?,
            bob: callers.user(BOB).await?,
            anon: callers.anon().await?,
            service: callers.service().await?,
        })
    }

    fn principal(&self, caller: Caller) -> Arc<Principal> {
        Arc::clone(match caller {
            Caller::Alice => &self.alice,
            Caller::Bob => &self.bob,
            Caller::Anon => &self.anon,
            Caller::Service => &self.service,
        })
    }
}

impl HostTestBed {
    /// Starts the host on the database. The component is registered by the suite.
    pub(super) async fn prepare(
        database: &TestDatabase,
        settings: &Settings,
        facts: Facts,
        inspection: Inspection,
        (fixture, documents): (Fixture, Vec<TrialDocument>),
        http: Option<Arc<TrialHttp>>,
    ) -> anyhow::Result<Self> {
        let answers = http.clone().map(|http| -> Arc<dyn HttpTrial> { http });
        let host = PluginHost::start(database, settings, documents, answers).await?;
        let hooks = host.tools.conformance_hooks();
        let callers = SuiteCallers::new().await?;
        let audit = AuditRows::new(host.db.clone(), Arc::clone(&callers.service));
        let plugin = OnceLock::new();
        Ok(Self { facts, inspection, host, hooks, fixture: Arc::new(fixture), http, callers, audit, plugin })
    }

    /// Deletes the plugin and the fixture's functions.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        if let Some(plugin) = self.plugin.get() {
            self.host.tools.installer.delete(Act::Host, *plugin).await?;
        }
        self.host.close().await;
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

    /// Waits until a cancelled call has ended: its row of the audit log is closed, and its transaction is over.
    async fn wait_for_end(&self, request: &str) -> Result<(), TestBedError> {
        let waited = tokio::time::timeout(CLEAN_UP, async {
            loop {
                self.host.flush().await;
                let ended = self.audit.has_ended(request).await.map_err(fails)?;
                if ended && !self.fixture.is_busy().await.map_err(fails)? {
                    return Ok(());
                }
                tokio::time::sleep(POLL).await;
            }
        });
        waited.await.map_err(|_| TestBedError("the host did not clean up after a cancelled call".to_owned()))?
    }
}

impl TestBed for HostTestBed {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    async fn definitions(&self, times: usize) -> Result<Result<Definitions, DefinitionsFailure>, TestBedError> {
        Ok(match self.host.sandbox.definitions_again(&self.inspection, times).await {
            Ok(all) => Ok(Definitions { answers: all.answers, start: all.first, memory_bytes: all.memory_bytes }),
            Err(error) => Err(definitions_failure(&error)),
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
        let info = match self.host.tools.installer.register(Act::Host, upload).await {
            Ok(info) => info,
            Err(error) => return refusal(&error).map(Err).ok_or_else(|| fails(error)),
        };
        self.plugin.set(info.id).ok();
        if let Some(missing) = self.hooks.missing_grant(info.id).await.map_err(fails)? {
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
        Ok(self.host.tools.installer.change(Act::Host, self.plugin()?, change).await.is_ok())
    }

    async fn call(&self, call: &Call) -> Result<CallRecord, TestBedError> {
        for _ in 1..TRIES {
            let trial = self.trial(call.caller, &call.tool, &call.arguments)?;
            let done = self.hooks.try_call(trial, call.keep).await.map_err(fails)?;
            if !matches!(done.result, Err(CallError::Busy)) {
                return Ok(call_record(done));
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
        let (fixture, documents) = (Arc::clone(&self.fixture), Arc::clone(&self.host.documents));
        let plugin = self.plugin.get().copied();
        let before_last: Before = Box::pin(async move {
            // Where it fails, the rows are still there, the calls differ, and the suite reports that.
            if let BetweenCalls::DeleteRows(caller) = between {
                delete_documents(&documents, caller);
                delete_rows(&fixture, plugin.as_ref(), caller).await.ok();
            }
        });
        let trial = self.trial(caller, tool, first)?;
        let results = self.hooks.try_calls_in_one_instance(trial, more.to_vec(), before_last).await.map_err(fails)?;
        Ok(results.into_iter().map(outcome_record).collect())
    }

    async fn cancelled_call(&self, call: &Call, after: Duration) -> Result<(), TestBedError> {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let principal = self.callers.principal(call.caller);
        let request = Uuid::new_v4().to_string();
        let context = CallContext { request_id: Some(request.clone()), ..CallContext::default() };
        let work = self.host.tools.caller.call(&principal, &call.tool, arguments, context, None);
        // A client that goes away drops its call in the same way.
        tokio::time::timeout(after, work).await.ok();
        self.wait_for_end(&request).await
    }

    async fn rows(&self) -> Result<Rows, TestBedError> {
        serde_json::from_value(self.fixture.rows().await.map_err(fails)?).map_err(fails)
    }

    async fn restore(&self) -> Result<(), TestBedError> {
        self.host.objects.clear();
        self.host.memories.clear();
        self.host.documents.restore();
        if let Some(plugin) = self.plugin.get() {
            self.fixture.delete_entries(*plugin, None).await.map_err(fails)?;
        }
        self.fixture.restore().await.map_err(fails)
    }

    async fn delete_rows(&self, caller: Caller) -> Result<(), TestBedError> {
        delete_documents(&self.host.documents, caller);
        delete_rows(&self.fixture, self.plugin.get(), caller).await
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

    async fn deny_objects(&self, denied: bool) -> Result<(), TestBedError> {
        self.host.objects.deny(denied);
        Ok(())
    }

    async fn fail_searches(&self, failing: bool) -> Result<(), TestBedError> {
        self.host.documents.fail(failing);
        Ok(())
    }

    async fn fail_memories(&self, failing: bool) -> Result<(), TestBedError> {
        self.host.memories.fail(failing);
        Ok(())
    }

    async fn record_http(&self, recording: bool) -> Result<(), TestBedError> {
        self.http.iter().for_each(|http| http.record(recording));
        Ok(())
    }
}

fn delete_documents(documents: &TrialDocuments, caller: Caller) {
    if let Some(user) = caller.subject().and_then(|subject| Uuid::try_parse(subject).ok()) {
        documents.delete(user);
    }
}

async fn delete_rows(fixture: &Fixture, plugin: Option<&Uuid>, caller: Caller) -> Result<(), TestBedError> {
    let (Some(subject), mark) = (caller.subject(), if caller == Caller::Alice { ALICE_MARK } else { BOB_MARK }) else {
        return Ok(());
    };
    if let Some(plugin) = plugin {
        fixture.delete_entries(*plugin, Some((subject, mark))).await.map_err(fails)?;
    }
    fixture.delete_rows(subject, mark).await.map_err(fails)
}

/// The test bed itself failed: the error with its causes.
fn fails(error: impl Into<anyhow::Error>) -> TestBedError {
    TestBedError(format!("the host of the check failed: {:#}", error.into()))
}
