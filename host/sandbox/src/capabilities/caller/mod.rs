//! `behalf:tool/caller`: the identity that a call is made for, and the facts of the call.

use std::sync::Arc;
use std::time::Instant;

use behalf_identity::Principal;
use wasmtime::component::Linker;

use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View, prepared};
use crate::bindings::behalf::tool::caller::{Host, Identity, add_to_linker};
use crate::deadline::Deadline;
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};

/// The caller of one call. The default knows none.
#[derive(Debug, Default)]
pub(crate) struct CallerCtx(Option<CallFacts>);

#[derive(Debug)]
struct CallFacts {
    principal: Arc<Principal>,
    call: String,
    deadline: Deadline,
}

impl View<'_, CallerCtx> {
    fn facts(&mut self) -> wasmtime::Result<&CallFacts> {
        self.base.host_calls.count()?;
        prepared(self.ctx.0.as_ref())
    }
}

impl Host for View<'_, CallerCtx> {
    async fn get_identity(&mut self) -> wasmtime::Result<Identity> {
        let principal = &self.facts()?.principal;
        Ok(Identity {
            subject: principal.subject().map(|id| id.to_string()),
            role: principal.role().as_str().to_owned(),
            claims: principal.claims().to_string(),
        })
    }

    async fn get_call(&mut self) -> wasmtime::Result<String> {
        Ok(self.facts()?.call.clone())
    }

    async fn remaining_ms(&mut self) -> wasmtime::Result<u64> {
        let left = self.facts()?.deadline.at().saturating_duration_since(Instant::now());
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The caller's identity. It carries no power.
#[derive(Debug)]
pub(crate) struct Caller;

impl Capability for Caller {
    type Ctx = CallerCtx;
    type Granted = ();

    fn open(_options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self)
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => {
                Some(Interface { name: "caller", functions: &["get-identity", "get-call", "remaining-ms"] })
            }
        }
    }

    fn link<T: Holds<Self>>(linker: &mut Linker<T>, version: Version) -> wasmtime::Result<()> {
        match version {
            Version::V0_1 => add_to_linker::<T, HasView<Self>>(linker, T::view),
        }
    }

    async fn prepare(
        &self,
        (): &Self::Granted,
        call: &mut CallSetup<'_>,
        view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        let principal = Arc::clone(&call.request.principal);
        let facts =
            CallFacts { principal, call: std::mem::take(&mut call.request.call), deadline: call.deadline.clone() };
        view.ctx.0 = Some(facts);
        Ok(())
    }
}
