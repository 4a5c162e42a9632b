//! `wasi:http/outgoing-handler`: requests to granted hosts, each checked, bounded and recorded.

mod body;
mod ctx;
mod errors;
pub(crate) mod grant;
mod host;
mod kept;
mod outbound;
mod records;
mod send;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};

use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View, require_import};
use crate::egress::{Egress, HostPattern};
use crate::grants::{GrantError, Grants};
use crate::imports::ImportedInterface;
use crate::options::{SandboxError, SandboxOptions};
use ctx::HttpCtx;
use grant::{HttpGrants, HttpIdentity};
pub use outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse, origin};
pub use records::EgressRecord;
use send::HttpGrant;

/// Requests to granted hosts.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) egress: Arc<Egress>,
}

impl Capability for Http {
    type Ctx = HttpCtx;
    /// The granted hosts.
    type Granted = Arc<[HostPattern]>;

    fn open(options: &SandboxOptions) -> Result<Self, SandboxError> {
        let egress = Egress::new(&options.http_allow_private).map_err(SandboxError::AllowPrivate)?;
        Ok(Self { egress: Arc::new(egress) })
    }

    fn is_granted(grants: &Grants) -> bool {
        grants.http().is_some()
    }

    fn validate_grant(grants: &Grants, imports: &[ImportedInterface], _: &[String]) -> Result<(), GrantError> {
        let Some(grant) = grants.http() else { return Ok(()) };
        require_import(imports, "http", "wasi:http/outgoing-handler")?;
        if grant.identity == HttpIdentity::Assertion {
            return Err(GrantError::Unsupported("this host signs no assertions yet; use \"identity\": \"none\""));
        }
        let wrong = grant.hosts.iter().find(|host| HostPattern::parse(host).is_none());
        wrong.map_or(Ok(()), |host| Err(GrantError::Host(host.clone())))
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        let mine = mine.http()?;
        theirs.http().is_none_or(|theirs| exceeds(mine, theirs)).then_some("hosts for outbound HTTP")
    }

    fn link_wasi<T: Holds<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        outgoing_handler::add_to_linker::<T, HasView<Self>>(linker, T::view)?;
        let options = LinkOptions::default();
        types::add_to_linker::<T, HasView<Self>>(linker, &(&options).into(), T::view)
    }

    fn read_grant(grants: &Grants) -> Self::Granted {
        // `validate_grant` refused a host that cannot be parsed. One that is here all the same grants nothing.
        grants.http().iter().flat_map(|grant| &grant.hosts).filter_map(|host| HostPattern::parse(host)).collect()
    }

    async fn prepare(
        &self,
        hosts: &Self::Granted,
        call: &mut CallSetup<'_>,
        view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        if !hosts.is_empty() {
            let (hosts, egress) = (Arc::clone(hosts), Arc::clone(&self.egress));
            let (methods, deadline) = (call.request.effects.http(), call.deadline.clone());
            let grant = HttpGrant { hosts, methods, egress, deadline };
            *view.ctx = HttpCtx::new(grant, call.limits.output_bytes);
        }
        Ok(())
    }
}

fn exceeds(mine: &HttpGrants, theirs: &HttpGrants) -> bool {
    let patterns = |grants: &HttpGrants| grants.hosts.iter().map(|host| HostPattern::parse(host)).collect::<Vec<_>>();
    let known = patterns(theirs);
    let covered = |host: &Option<HostPattern>| {
        host.as_ref().is_some_and(|host| known.iter().flatten().any(|known| host.within(known)))
    };
    let says_more = mine.identity == HttpIdentity::Assertion && theirs.identity != HttpIdentity::Assertion;
    says_more || !patterns(mine).iter().all(covered)
}
