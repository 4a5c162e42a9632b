use std::time::Instant;

use crate::sandbox::bindings::behalf::tool::caller::{Host, Identity};
use crate::sandbox::state::CallState;

impl Host for CallState {
    async fn get_identity(&mut self) -> wasmtime::Result<Identity> {
        self.host_calls.count()?;
        let principal = &self.granted()?.principal;
        Ok(Identity {
            subject: principal.subject().map(|id| id.to_string()),
            role: principal.role().as_str().to_owned(),
            claims: principal.claims().to_string(),
        })
    }

    async fn get_call(&mut self) -> wasmtime::Result<String> {
        self.host_calls.count()?;
        Ok(self.granted()?.call.clone())
    }

    async fn remaining_ms(&mut self) -> wasmtime::Result<u64> {
        self.host_calls.count()?;
        let left = self.granted()?.deadline.saturating_duration_since(Instant::now());
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }
}
