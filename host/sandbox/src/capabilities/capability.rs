//! The trait that each folder beside this file implements, and the types that the folders share.

use std::marker::PhantomData;
use std::sync::Arc;

use behalf_caller_db::GuestDb;
use tokio::sync::Mutex;
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::WasiView;

use super::base::Base;
use crate::deadline::Deadline;
use crate::grants::{GrantError, Grants};
use crate::imports::ImportedInterface;
use crate::limits::CallLimits;
use crate::options::{SandboxError, SandboxOptions};
use crate::request::Request;
use crate::versions::{Interface, Version};

/// An ability that guests have through one interface. A value of it holds the parts that all calls of this host share, for
/// example the folder of all workspaces.
///
/// The defaults are those of an interface that carries no power: every linker holds it, and no grant concerns it.
pub(crate) trait Capability: Sized + 'static {
    /// The state of one call. Its default allows nothing; `definitions` runs with it.
    type Ctx: Default + Send + 'static;
    /// The grant as calls need it, read once when a component is linked.
    type Granted: Clone + Default + Send + Sync;

    /// Sets up the parts that all calls share.
    fn open(options: &SandboxOptions) -> Result<Self, SandboxError>;

    /// The interface of `behalf:tool` in this version. None for WASI's, and where the version does not have it.
    fn interface(_version: Version) -> Option<Interface> {
        None
    }

    /// Whether the linker for these grants holds the interface. A component that imports an interface which its linker
    /// does not hold cannot be called.
    fn is_granted(_grants: &Grants) -> bool {
        true
    }

    /// Refuses a grant that a component with these imports could not use, or that this host cannot give.
    fn validate_grant(
        _grants: &Grants,
        _imports: &[ImportedInterface],
        _exposed_schemas: &[String],
    ) -> Result<(), GrantError> {
        Ok(())
    }

    /// The first thing that a grant allows and another does not.
    fn exceeds(_mine: &Grants, _theirs: &Grants) -> Option<&'static str> {
        None
    }

    /// Adds the interface of this version of `behalf:tool` to a linker.
    fn link<T: Holds<Self>>(_linker: &mut Linker<T>, _version: Version) -> wasmtime::Result<()> {
        Ok(())
    }

    /// Adds WASI's interfaces to a linker, where the capability is one of WASI.
    fn link_wasi<T: Holds<Self>>(_linker: &mut Linker<T>) -> wasmtime::Result<()> {
        Ok(())
    }

    /// Reads the grant for calls.
    fn read_grant(_grants: &Grants) -> Self::Granted {
        Self::Granted::default()
    }

    /// Gives the granted ability to one call.
    async fn prepare(
        &self,
        _granted: &Self::Granted,
        _call: &mut CallSetup<'_>,
        _view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        Ok(())
    }
}

/// A call that is about to run.
pub(crate) struct CallSetup<'a> {
    pub(crate) grants: &'a Grants,
    pub(crate) limits: &'a CallLimits,
    pub(crate) deadline: &'a Deadline,
    /// Its database, which was taken out of the request: the host waits for it and gets it back after the call.
    pub(crate) database: Option<&'a Arc<Mutex<GuestDb>>>,
    pub(crate) request: &'a mut Request,
}

/// Why a call cannot have the granted ability.
#[derive(Debug)]
pub(crate) enum PrepareError {
    /// The grant does not fit this call, for the reason given.
    NotGranted(String),
    /// The tool's folder is not usable.
    Files,
}

/// One capability of one call, borrowed while the guest calls it. The host functions are implemented on it.
pub(crate) struct View<'a, C> {
    pub(crate) ctx: &'a mut C,
    pub(crate) base: &'a mut Base,
}

/// The state of a store that holds this capability.
pub(crate) trait Holds<C: Capability>: WasiView + 'static {
    /// Borrows the capability.
    fn view(&mut self) -> View<'_, C::Ctx>;
}

/// Tells wasmtime's bindings which view a capability has.
pub(crate) struct HasView<C>(PhantomData<C>);

impl<C: Capability> HasData for HasView<C> {
    type Data<'a> = View<'a, C::Ctx>;
}

/// A part of a context that `prepare` set. For `definitions` nothing is prepared, and the error ends the guest.
pub(crate) fn prepared<T>(part: Option<&T>) -> wasmtime::Result<&T> {
    part.ok_or_else(|| wasmtime::format_err!("definitions run without any capability"))
}

/// Refuses a grant for an interface that the component does not import: it could never use it.
pub(crate) fn require_import(
    imports: &[ImportedInterface],
    grant: &'static str,
    interface: &'static str,
) -> Result<(), GrantError> {
    let imported = imports.iter().any(|import| import.name.starts_with(interface));
    if imported { Ok(()) } else { Err(GrantError::NotImported { grant, interface }) }
}
