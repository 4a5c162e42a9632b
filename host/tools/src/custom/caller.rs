//! Calls a custom tool: one request to its server, with the arguments as its body.

use behalf_contracts::{CallContext, CallOutcome, ToolCallError};
use behalf_identity::Principal;
use behalf_sandbox::{CallError, Outbound, OutboundRequest};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use super::answer::{MAX_BYTES, read_answer};
use super::endpoint::Endpoint;
use super::tool::CustomTool;
use crate::call_failure::{failed, from_outbound};
use crate::outgoing::{HostHeaders, OutgoingCall, OutgoingCalls, subject};

/// How errors name the server. They do not show its address, which only operators may see.
const SERVER: &str = "the tool's server";

/// Calls custom tools.
#[derive(Clone, Debug)]
pub(crate) struct CustomToolCaller {
    outgoing: OutgoingCalls,
}

impl CustomToolCaller {
    /// Calls through `outgoing`.
    pub(crate) fn new(outgoing: OutgoingCalls) -> Self {
        Self { outgoing }
    }

    /// Calls a custom tool as the principal. Dropping the future closes the connection; the server may still finish its work.
    pub(crate) async fn call(
        &self,
        tool: &CustomTool,
        principal: &Principal,
        arguments: Value,
        context: CallContext,
    ) -> Result<CallOutcome, ToolCallError> {
        let text = arguments.to_string();
        let mut guard = self.outgoing.open(principal, &tool.info, &text, context);
        guard.check_arguments(&tool.input, arguments).await?;
        let Some(endpoint) = &tool.endpoint else {
            let error = failed("no_endpoint", "this tool has no config.endpoint yet; an operator can set it", false);
            let call_id = guard.ids().0;
            guard.fail(&error);
            return Err(ToolCallError::Call { call_id, error });
        };
        guard.hold_credits(self.outgoing.credits.as_deref(), principal).await?;
        let call = subject(&endpoint.origin, &guard);
        let headers = self.outgoing.headers(&endpoint.headers, endpoint.identity, principal, call).await;
        // The number of bytes is not limited, because a longer answer is not an error: its beginning is read.
        let outbound = self.outgoing.outbound(endpoint.timeout, u64::MAX);
        let outgoing = OutgoingCall::new(guard, outbound);
        let result = match headers {
            Ok(headers) => send(&outgoing.outbound, endpoint, &headers, text).await,
            Err(error) => Err(error),
        };
        outgoing.finish(result)
    }
}

async fn send(
    outbound: &Outbound,
    endpoint: &Endpoint,
    host: &HostHeaders,
    arguments: String,
) -> Result<String, CallError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/*;q=0.9, */*;q=0.1"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("behalf/", env!("CARGO_PKG_VERSION"))));
    let request = OutboundRequest {
        method: endpoint.method.clone(),
        uri: endpoint.uri.clone(),
        headers,
        own_headers: host.headers.clone(),
        body: Bytes::from(arguments),
    };
    let failed = |error| from_outbound(error, SERVER, endpoint.timeout);
    let response = outbound.send(request).await.map_err(failed)?;
    let status = response.status;
    let (bytes, is_whole) = response.beginning(MAX_BYTES).await.map_err(failed)?;
    let text = host.remove_from(String::from_utf8_lossy(&bytes).into_owned());
    read_answer(status, &text, is_whole)
}
