//! `wasi:http/outgoing-handler`: requests to granted hosts, each checked, bounded and recorded.

mod body;
mod ctx;
pub(crate) mod denied;
mod errors;
pub(crate) mod grant;
mod host;
mod identity;
mod kept;
mod mask;
mod outbound;
mod records;
pub(crate) mod secret;
mod send;
#[cfg(test)]
mod tests;
mod trial;

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
pub use identity::CallSigner;
use identity::Identity;
pub use outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse, origin};
pub use records::EgressRecord;
use secret::{CallSecrets, SecretRule};
use send::HttpGrant;
pub use trial::{HttpTrial, TrialAnswer, TrialRequest, TrialResponse};

/// Requests to granted hosts.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) egress: Arc<Egress>,
    trial: Option<Arc<dyn HttpTrial>>,
}

impl Capability for Http {
    type Ctx = HttpCtx;
    type Granted = GrantedHttp;

    fn open(options: &SandboxOptions) -> Result<Self, SandboxError> {
        let egress = Egress::new(&options.http_allow_private).map_err(SandboxError::AllowPrivate)?;
        Ok(Self { egress: Arc::new(egress), trial: options.http.clone() })
    }

    fn is_granted(grants: &Grants) -> bool {
        grants.http().is_some()
    }

    fn validate_grant(grants: &Grants, imports: &[ImportedInterface], _: &[String]) -> Result<(), GrantError> {
        let Some(grant) = grants.http() else { return Ok(()) };
        require_import(imports, "http", "wasi:http/outgoing-handler")?;
        let wrong = grant.hosts.iter().find(|host| HostPattern::parse(host).is_none());
        wrong.map_or(Ok(()), |host| Err(GrantError::Host(host.clone())))?;
        secret::check(grant)
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        let mine = mine.http()?;
        match theirs.http() {
            Some(theirs) if !exceeds(mine, theirs) => {
                secret::exceed(mine, theirs).then_some("secrets for outbound HTTP")
            }
            _ => Some("hosts for outbound HTTP"),
        }
    }

    fn link_wasi<T: Holds<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        outgoing_handler::add_to_linker::<T, HasView<Self>>(linker, T::view)?;
        let options = LinkOptions::default();
        types::add_to_linker::<T, HasView<Self>>(linker, &(&options).into(), T::view)
    }

    fn read_grant(grants: &Grants) -> Self::Granted {
        // `validate_grant` refused a host that cannot be parsed. One that is here all the same grants nothing.
        grants.http().map(GrantedHttp::read).unwrap_or_default()
    }

    async fn prepare(
        &self,
        granted: &Self::Granted,
        call: &mut CallSetup<'_>,
        view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        if !granted.hosts.is_empty() {
            let (hosts, egress) = (Arc::clone(&granted.hosts), Arc::clone(&self.egress));
            let (methods, deadline) = (call.request.effects.http(), call.deadline.clone());
            let identity = match call.grants.http().map(|grant| grant.identity) {
                Some(HttpIdentity::Assertion) => Identity::Signed(call.request.signer.clone()),
                Some(HttpIdentity::None) | None => Identity::Unsaid,
            };
            let secrets =
                CallSecrets { rules: Arc::clone(&granted.secrets), values: call.request.http_secrets.clone() };
            let trial = self.trial.clone();
            let grant = HttpGrant { hosts, methods, identity, egress, deadline, secrets, trial };
            *view.ctx = HttpCtx::new(grant, call.limits.output_bytes);
        }
        Ok(())
    }
}

/// The grant as calls need it.
#[derive(Clone, Default)]
pub(crate) struct GrantedHttp {
    hosts: Arc<[HostPattern]>,
    secrets: Arc<[SecretRule]>,
}

impl GrantedHttp {
    fn read(grant: &HttpGrants) -> Self {
        let hosts = grant.hosts.iter().filter_map(|host| HostPattern::parse(host)).collect();
        Self { hosts, secrets: secret::rules(grant) }
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
