//! Calls that go out to a server of the operator's: a custom tool's, or an MCP server.

mod headers;
mod host_headers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_caller_db::AuditLog;
use behalf_contracts::{CallContext, CallOutcome, CreditLedger, ToolCallError, ToolInfo};
use behalf_identity::{CallSubject, Principal};
use behalf_sandbox::{CallError, Outbound, Sandbox, is_result};
use http::HeaderMap;
use serde_json::value::RawValue;

use crate::assertion_signer::AssertionSigner;
use crate::call::AuditGuard;

pub use headers::HeadersError;
pub(crate) use headers::{Identity, READ_ONLY, read_declared, read_headers, read_identity};
pub(crate) use host_headers::HostHeaders;

/// What every call to a server of the operator's needs: the way out of the sandbox, the audit log, credits and assertions.
#[derive(Clone, Debug)]
pub(crate) struct OutgoingCalls {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) audit: AuditLog,
    pub(crate) credits: Option<Arc<dyn CreditLedger>>,
    pub(crate) signer: AssertionSigner,
}

impl OutgoingCalls {
    /// Begins the audit row of a call.
    pub(crate) fn open(
        &self,
        principal: &Principal,
        tool: &ToolInfo,
        arguments: &str,
        context: CallContext,
    ) -> AuditGuard {
        AuditGuard::open(self.audit.clone(), principal, tool, None, arguments, context)
    }

    /// The headers for one server and one caller.
    pub(crate) async fn headers(
        &self,
        fixed: &HeaderMap,
        identity: Identity,
        principal: &Principal,
        call: CallSubject<'_>,
    ) -> Result<HostHeaders, CallError> {
        HostHeaders::new(fixed, identity, &self.signer, principal, call).await
    }

    /// The way out for at most `timeout` and `max_bytes` of answers.
    pub(crate) fn outbound(&self, timeout: Duration, max_bytes: u64) -> Outbound {
        self.sandbox.outbound(Instant::now() + timeout, max_bytes)
    }
}

/// A call on its way to a server, from its audit row to its end. Dropped, it is recorded as cancelled, with what was sent until
/// then.
pub(crate) struct OutgoingCall {
    guard: AuditGuard,
    /// The way out.
    pub(crate) outbound: Outbound,
}

impl Drop for OutgoingCall {
    fn drop(&mut self) {
        self.guard.record_egress(&self.outbound.records());
    }
}

impl OutgoingCall {
    /// Takes over the audit row.
    pub(crate) fn new(guard: AuditGuard, outbound: Outbound) -> Self {
        Self { guard, outbound }
    }

    /// Ends the call: first the audit row, then the answer, which is JSON as the server wrote it.
    pub(crate) fn finish(mut self, result: Result<String, CallError>) -> Result<CallOutcome, ToolCallError> {
        let call_id = self.guard.record_egress(&self.outbound.records());
        let duration = self.guard.elapsed();
        let result = result.and_then(|text| {
            let raw = is_result(&text).then(|| RawValue::from_string(text).ok()).flatten();
            raw.ok_or(CallError::NotJson)
        });
        match result {
            Ok(result) => {
                self.guard.succeed();
                self.guard.settle_later(Some(call_id));
                Ok(CallOutcome { call_id, result, duration })
            }
            Err(error) => {
                self.guard.fail(&error);
                self.guard.settle_later(None);
                Err(ToolCallError::Call { call_id, error })
            }
        }
    }
}

/// The subject of a call's assertion: its ids, and the origin that it is for.
pub(crate) fn subject<'a>(audience: &'a str, guard: &AuditGuard) -> CallSubject<'a> {
    let (call_id, agent) = guard.ids();
    CallSubject { audience, agent, call_id }
}
