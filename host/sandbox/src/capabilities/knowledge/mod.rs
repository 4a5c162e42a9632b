//! `behalf:tool/knowledge`: search in knowledge bases, as the caller.
//!
//! No call can have it yet, because this host has no knowledge bases: [`Knowledge::is_granted`] says no for all grants, so
//! no linker for calls holds the interface. The feature that brings them implements [`search::KnowledgeSearch`].

pub(crate) mod grant;
pub(crate) mod search;

use wasmtime::component::Linker;

use super::capability::{Capability, HasView, Holds, View};
use crate::bindings::behalf::tool::knowledge::{Error, Host, Passage, add_to_linker};
use crate::grants::{GrantError, Grants, subset};
use crate::imports::ImportedInterface;
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};

/// The knowledge bases of one call. There are none yet.
#[derive(Debug, Default)]
pub(crate) struct KnowledgeCtx;

impl Host for View<'_, KnowledgeCtx> {
    /// Linked for `definitions` only, where every capability ends the guest.
    async fn search(&mut self, _text: String, _options: String) -> wasmtime::Result<Result<Vec<Passage>, Error>> {
        Err(wasmtime::format_err!("knowledge was not granted"))
    }
}

/// Search in knowledge bases.
#[derive(Debug)]
pub(crate) struct Knowledge;

impl Capability for Knowledge {
    type Ctx = KnowledgeCtx;
    type Granted = ();

    fn open(_options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self)
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface { name: "knowledge", functions: &["search"] }),
        }
    }

    fn is_granted(_grants: &Grants) -> bool {
        false
    }

    fn validate_grant(grants: &Grants, _: &[ImportedInterface], _: &[String]) -> Result<(), GrantError> {
        if knowledge_bases(grants).is_empty() {
            return Ok(());
        }
        Err(GrantError::Unsupported("this host has no knowledge bases yet; leave `knowledge` out of the grants"))
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        (!subset(knowledge_bases(mine), knowledge_bases(theirs))).then_some("knowledge bases")
    }

    fn link<T: Holds<Self>>(linker: &mut Linker<T>, version: Version) -> wasmtime::Result<()> {
        match version {
            Version::V0_1 => add_to_linker::<T, HasView<Self>>(linker, T::view),
        }
    }
}

fn knowledge_bases(grants: &Grants) -> &[String] {
    grants.knowledge.as_ref().map_or(&[], |grant| &grant.knowledge_bases)
}
