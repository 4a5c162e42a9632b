//! Calls a plugin's tool: arguments, credits, guest, commit, audit row.

use std::sync::Arc;

use behalf_caller_db::GuestDb;
use behalf_contracts::{CallContext, CallOutcome, CreditLedger, ToolCallError};
use behalf_identity::{CallerKey, Principal};
use behalf_sandbox::{CallError, CallOutput, HttpSecrets, KnowledgeScope, Report, Request};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::audit_guard::AuditGuard;
use super::result_check::check_result;
use super::runtime::PluginRuntime;
use crate::plugin::PluginTool;

/// Calls plugins' tools.
#[derive(Debug)]
pub(crate) struct PluginCaller {
    pub(crate) runtime: Arc<PluginRuntime>,
    pub(crate) credits: Option<Arc<dyn CreditLedger>>,
}

impl PluginCaller {
    /// Calls a tool as the principal. Dropping the future ends the guest and rolls back, unless its commit is under way.
    pub(crate) async fn call(
        &self,
        tool: Arc<PluginTool>,
        principal: &Arc<Principal>,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> Result<CallOutcome, ToolCallError> {
        let text = arguments.to_string();
        let key = CallerKey::new(principal, context.client);
        let knowledge = KnowledgeScope {
            knowledge_bases: context.knowledge_bases.clone(),
            own_sources_only: context.own_sources_only,
        };
        let audit = self.runtime.db.audit().clone();
        let mut guard = AuditGuard::open(audit, principal, &tool.info, Some(&tool.plugin), &text, context);
        guard.check_arguments(&tool.input, arguments).await?;
        let plugin = Arc::clone(&tool.plugin);
        let ready = async {
            Ok::<_, ToolCallError>((self.runtime.linked(&plugin).await?, self.runtime.http_secrets(&plugin).await?))
        };
        let (linked, secrets) = match ready.await {
            Ok(ready) => ready,
            Err(error) => {
                guard.fail_unavailable(&error);
                return Err(error);
            }
        };
        guard.hold_credits(self.credits.as_deref(), principal).await?;
        // Boxed where it is made: it is large, and moves several times before and after it is begun.
        let work = Box::pin(run(
            Arc::clone(&self.runtime),
            tool,
            Arc::clone(principal),
            (key, knowledge, secrets),
            text,
            guard,
            progress,
        ));
        match self.runtime.sandbox.run_call(linked, work).await {
            Some(outcome) => outcome,
            None => Err(ToolCallError::Unavailable("the call's task ended".into())),
        }
    }
}

/// Runs the guest and ends its transaction.
async fn run(
    runtime: Arc<PluginRuntime>,
    tool: Arc<PluginTool>,
    principal: Arc<Principal>,
    (key, knowledge, http_secrets): (CallerKey, KnowledgeScope, HttpSecrets),
    arguments: String,
    guard: AuditGuard,
    progress: Option<mpsc::Sender<Report>>,
) -> Result<CallOutcome, ToolCallError> {
    let linked = runtime.linked(&tool.plugin).await?;
    let database = runtime.database(&tool.plugin, tool.info.effects, &principal, key, guard.shared_record());
    let signer = Some(runtime.assertions(&principal, guard.ids()));
    let request = Request {
        principal,
        key,
        plugin: tool.plugin.row.id,
        session_id: guard.session_id(),
        agent: guard.ids().1,
        knowledge,
        tool: tool.own_name.to_string(),
        effects: tool.info.effects,
        arguments,
        call: guard.guest_facts(),
        settings: Arc::clone(&tool.plugin.settings),
        http_secrets,
        database,
        signer,
        progress,
    };
    let mut output = runtime.sandbox.execute(linked, request).await;
    if let (Ok(json), Some(schema)) = (&output.result, &tool.output)
        && let Err(error) = check_result(schema, json).await
    {
        output.result = Err(error);
    }
    // A commit that has begun is finished, whether or not the caller still waits for the answer.
    if output.result.is_ok() && output.database.as_ref().is_some_and(GuestDb::has_writes) {
        let finish = tokio::spawn(finish(output, guard));
        return finish.await.unwrap_or_else(|error| Err(ToolCallError::Unavailable(error.into())));
    }
    finish(output, guard).await
}

/// Ends the transaction, then the audit row.
async fn finish(output: CallOutput, mut guard: AuditGuard) -> Result<CallOutcome, ToolCallError> {
    let CallOutput { mut result, outage, database, log, egress, storage, operations, guest_time, memory_bytes } =
        output;
    if let Some(mut database) = database {
        if result.is_ok() {
            if let Err(error) = database.finish().await {
                result = Err(CallError::Commit { code: error.code, message: error.message });
            }
        } else {
            database.rollback().await;
        }
    }
    let result = result.map_err(|error| error.in_outage(outage));
    let call_id = guard.record_guest(guest_time, memory_bytes, (&egress, &storage, &operations));
    guard.record_log(log);
    let duration = guard.elapsed();
    match result {
        Ok(json) => {
            guard.succeed();
            guard.settle(Some(call_id)).await;
            let result = RawValue::from_string(json).map_err(|error| ToolCallError::Unavailable(error.into()))?;
            Ok(CallOutcome { call_id, result, duration })
        }
        Err(error) => {
            guard.fail(&error);
            guard.settle(None).await;
            Err(ToolCallError::Call { call_id, error })
        }
    }
}
