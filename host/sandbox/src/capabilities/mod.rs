//! The capabilities that guests can have: one folder for each interface, and the list of them.
//!
//! A new capability is a folder with a type that implements [`Capability`], a grant in `grants.rs`, and one line in the
//! list below. The linker, the state of calls and the checks of grants are made from the list.

mod base;
mod caller;
mod capability;
pub(crate) mod database;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod knowledge;
pub(crate) mod kv;
mod log;
pub(crate) mod memory;
mod operations;
pub(crate) mod progress;
mod settings;
mod slot;
pub(crate) mod storage;
mod streams;
mod wasi;

use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime_wasi::WasiView;

pub(crate) use base::{Base, MAX_RESOURCES, TooManyHostCalls};
use capability::View;
pub(crate) use capability::{CallSetup, Capability, Holds, PrepareError};
pub(crate) use database::NoConnection;
pub use http::{
    CallSigner, EgressRecord, HttpTrial, Outbound, OutboundError, OutboundRequest, OutboundResponse, TrialAnswer,
    TrialRequest, TrialResponse, origin,
};
pub use knowledge::search::{
    KnowledgeBaseRef, KnowledgeCaller, KnowledgeError, KnowledgeFuture, KnowledgeMethod, KnowledgeQuery,
    KnowledgeScope, KnowledgeSearch, Passage,
};
pub use log::LogLine;
pub use memory::store::{MemoryCaller, MemoryError, MemoryFuture, MemoryStore, NewMemory, Remembered};
pub use operations::OperationRecord;
pub use progress::report::{Part, Progress, Report};
pub use slot::LateSlot;
pub use storage::records::StorageRecord;
pub use storage::store::{
    ListedObject, NewContent, ObjectCaller, ObjectError, ObjectFuture, ObjectList, ObjectPage, ObjectPath, ObjectStore,
    OpenObject,
};

use crate::grants::{GrantError, Grants};
use crate::imports::ImportedInterface;
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};

macro_rules! capabilities {
    ($($name:ident: $capability:ty,)*) => {
        /// How many there are.
        pub(crate) const COUNT: usize = [$(stringify!($name)),*].len();

        /// The rules of each capability, in the order of the list.
        pub(crate) static RULES: [Rules; COUNT] = [$(Rules::of::<$capability>()),*];

        /// The capabilities of this host, with the parts that all calls share.
        #[derive(Debug)]
        pub(crate) struct Capabilities {
            $(pub(crate) $name: $capability,)*
        }

        /// The grants of one component, as calls need them.
        #[derive(Clone)]
        pub(crate) struct Granted {
            $($name: <$capability as Capability>::Granted,)*
        }

        /// The capabilities of one call. The default has none of them.
        #[derive(Default)]
        pub(crate) struct Ctxs {
            $(pub(crate) $name: <$capability as Capability>::Ctx,)*
        }

        impl Capabilities {
            /// Sets up the parts that all calls share.
            pub(crate) fn open(options: &SandboxOptions) -> Result<Self, SandboxError> {
                Ok(Self { $($name: <$capability>::open(options)?,)* })
            }

            /// Gives the granted abilities to one call.
            pub(crate) async fn prepare(
                &self,
                granted: &Granted,
                call: &mut CallSetup<'_>,
                (ctxs, base): (&mut Ctxs, &mut Base),
            ) -> Result<(), PrepareError> {
                $(if <$capability>::is_granted(call.grants) {
                    self.$name.prepare(&granted.$name, call, View { ctx: &mut ctxs.$name, base }).await?;
                })*
                Ok(())
            }
        }

        impl Granted {
            /// Reads the grants for calls.
            pub(crate) fn read(grants: &Grants) -> Self {
                Self { $($name: <$capability>::read_grant(grants),)* }
            }
        }

        /// Adds the capabilities of a set to a linker.
        pub(crate) fn link<T: HasCtxs>(linker: &mut Linker<T>, set: GrantSet) -> wasmtime::Result<()> {
            let links: [fn(&mut Linker<T>) -> wasmtime::Result<()>; COUNT] = [$(link_one::<T, $capability>),*];
            set.into_iter().zip(links).filter(|(granted, _)| *granted).try_for_each(|(_, link)| link(linker))
        }

        $(impl<T: HasCtxs> Holds<$capability> for T {
            fn view(&mut self) -> View<'_, <$capability as Capability>::Ctx> {
                let (ctxs, base) = self.parts();
                View { ctx: &mut ctxs.$name, base }
            }
        })*
    };
}

capabilities! {
    caller: caller::Caller,
    settings: settings::Settings,
    progress: progress::ProgressReports,
    log: log::Log,
    wasi: wasi::Wasi,
    database: database::Database,
    knowledge: knowledge::Knowledge,
    memory: memory::Memories,
    kv: kv::Kv,
    storage: storage::Storage,
    http: http::Http,
    // After `wasi`, whose file system it replaces, and last: only this one waits for the disk.
    files: files::Files,
}

impl Ctxs {
    /// Time that the host itself worked for the call. Time in which it waited is not counted.
    pub(crate) fn host_time(&self) -> Duration {
        let searched = self.knowledge.host_time() + self.memory.host_time();
        self.database.host_time() + self.kv.host_time() + self.storage.host_time() + searched
    }

    /// Its searches, and what it did with memories, for the audit log.
    pub(crate) fn take_operations(&mut self) -> Vec<OperationRecord> {
        let mut operations = self.knowledge.take_records();
        operations.append(&mut self.memory.take_records());
        operations
    }
}

/// The functions of one capability that need no call, as function pointers.
pub(crate) struct Rules {
    pub(crate) interface: fn(Version) -> Option<Interface>,
    pub(crate) is_granted: fn(&Grants) -> bool,
    pub(crate) validate_grant: ValidateGrant,
    pub(crate) exceeds: fn(&Grants, &Grants) -> Option<&'static str>,
}

type ValidateGrant = fn(&Grants, &[ImportedInterface], &[String]) -> Result<(), GrantError>;

impl Rules {
    const fn of<C: Capability>() -> Self {
        Self {
            interface: C::interface,
            is_granted: C::is_granted,
            validate_grant: C::validate_grant,
            exceeds: C::exceeds,
        }
    }
}

/// The capabilities that a linker holds, in the order of the list.
pub(crate) type GrantSet = [bool; COUNT];

/// The capabilities that calls with these grants can reach.
pub(crate) fn granted_set(grants: &Grants) -> GrantSet {
    RULES.each_ref().map(|rules| (rules.is_granted)(grants))
}

/// The state of a store that holds all capabilities.
pub(crate) trait HasCtxs: WasiView + 'static {
    /// Borrows the capabilities, and the part of the state that they share.
    fn parts(&mut self) -> (&mut Ctxs, &mut Base);
}

/// Adds one capability to a linker.
pub(crate) fn link_one<T: Holds<C>, C: Capability>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    C::link_wasi(linker)?;
    Version::ALL.into_iter().try_for_each(|version| C::link(linker, version))
}

/// Whether a version of `behalf:tool` has this function, or this interface at all where no function is named.
pub(crate) fn has(version: Version, interface: &str, function: Option<&str>) -> bool {
    let found = RULES.iter().filter_map(|rules| (rules.interface)(version)).find(|known| known.name == interface);
    found.is_some_and(|known| function.is_none_or(|function| known.functions.contains(&function)))
}

#[cfg(test)]
mod tests {
    use wit_parser::Resolve;

    use super::*;

    #[test]
    fn the_newest_version_is_what_the_wit_says() {
        let mut resolve = Resolve::default();
        let (id, _) = resolve.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
        let (package, newest) = (&resolve.packages[id], *Version::ALL.last().unwrap());
        assert_eq!(package.name.to_string(), format!("behalf:tool@{newest}"));
        let mut imported: Vec<_> = package
            .worlds
            .values()
            .flat_map(|world| resolve.worlds[*world].imports.values())
            .filter_map(|item| match item {
                wit_parser::WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
                _ => None,
            })
            .map(|interface| {
                let functions: Vec<_> = interface.functions.keys().map(String::as_str).collect();
                (interface.name.as_deref().unwrap(), functions)
            })
            .collect();
        imported.sort_unstable();
        imported.dedup();
        let known = RULES.iter().filter_map(|rules| (rules.interface)(newest));
        let mut known: Vec<_> = known.map(|interface| (interface.name, interface.functions.to_vec())).collect();
        known.sort_unstable();
        assert_eq!(known, imported);
    }
}
