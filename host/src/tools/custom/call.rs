use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use super::CustomTool;
use super::answer::{MAX_BYTES, read_answer};
use super::endpoint::Endpoint;
use crate::db::Blame;
use crate::identity::Principal;
use crate::sandbox::{CallError, Outbound, OutboundRequest};
use crate::tools::call::{CallContext, CallOutcome, Row, ToolCallError};
use crate::tools::outgoing::{OwnHeaders, failed, from_outbound, subject};
use crate::tools::registry::Tools;

/// How errors name the server: never by its address, which is the operator's.
const SERVER: &str = "the tool's server";

impl Tools {
    /// Calls a custom tool as the principal. Dropped, it closes the connection; what the server began, it may finish.
    pub(in crate::tools) async fn call_custom(
        &self,
        tool: &Arc<CustomTool>,
        principal: &Principal,
        arguments: &Value,
        context: CallContext,
    ) -> Result<CallOutcome, ToolCallError> {
        let text = arguments.to_string();
        let mut row = Row::open(self.db.audit().clone(), principal, &tool.info, None, &text, context);
        let faults = tool.input.faults(arguments);
        if !faults.is_empty() {
            row.close("invalid_arguments", Some(Blame::Caller), None);
            return Err(ToolCallError::Arguments(faults));
        }
        let Some(endpoint) = &tool.endpoint else {
            let error = failed("no_endpoint", "this tool has no config.endpoint yet; an operator can set it", false);
            let call_id = row.ids().0;
            row.fail(&error);
            return Err(ToolCallError::Call { call_id, error });
        };
        row.secure(&self.db, principal).await?;
        let own = self.own_headers(&endpoint.headers, endpoint.identity, principal, subject(&endpoint.origin, &row));
        // An answer that is longer is not an error: its beginning is read.
        let outgoing = self.outgoing(row, endpoint.timeout, u64::MAX);
        let result = match own {
            Ok(own) => send(&outgoing.outbound, endpoint, &own, text).await,
            Err(error) => Err(error),
        };
        outgoing.finish(result)
    }
}

async fn send(
    outbound: &Outbound,
    endpoint: &Endpoint,
    own: &OwnHeaders,
    arguments: String,
) -> Result<Value, CallError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/*;q=0.9, */*;q=0.1"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("behalf/", env!("CARGO_PKG_VERSION"))));
    let request = OutboundRequest {
        method: endpoint.method.clone(),
        uri: endpoint.uri.clone(),
        headers,
        own_headers: own.headers.clone(),
        body: Bytes::from(arguments),
    };
    let failed = |error| from_outbound(error, SERVER, endpoint.timeout);
    let response = outbound.send(request).await.map_err(failed)?;
    let status = response.status;
    let (bytes, is_whole) = response.beginning(MAX_BYTES).await.map_err(failed)?;
    let text = own.remove_from(String::from_utf8_lossy(&bytes).into_owned());
    read_answer(status, &text, is_whole)
}
