//! The versions of `behalf:tool` that this host speaks. What a new one may change, and how one is put beside another,
//! stands in docs/authors/compatibility.md.

use std::fmt;

use wasmtime::component::{HasSelf, Linker};
use wit_parser::{PackageName, Resolve};

use super::bindings::behalf::tool::{caller, database, knowledge, log, progress, settings};
use super::state::CallState;

/// Adds functions to a linker.
type Link = fn(&mut Linker<CallState>) -> wasmtime::Result<()>;

/// One version with all its patches: a patch only adds what can be imported, so the newest serves plugins of every other.
pub(super) struct Version {
    /// Major, minor and the newest patch that this host has.
    number: (u64, u64, u64),
    /// What can be imported: interfaces with their functions.
    interfaces: &'static [(&'static str, &'static [&'static str])],
    /// Adds the interfaces that carry no power.
    pub(super) link_powerless: Link,
    /// Adds the caller's database.
    pub(super) link_database: Link,
    /// Adds search in knowledge bases.
    pub(super) link_knowledge: Link,
}

/// All of them, oldest first. They stand beside each other in one linker, for names in it hold the version.
pub(super) static VERSIONS: [Version; 1] = [Version {
    number: (0, 1, 0),
    interfaces: &[
        ("caller", &["get-identity", "get-call", "remaining-ms"]),
        ("database", &["query", "execute", "commit", "describe"]),
        ("knowledge", &["search"]),
        ("log", &["write"]),
        ("progress", &["report"]),
        ("settings", &["get-all"]),
    ],
    link_powerless: |linker| {
        caller::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
        progress::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
        log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
        settings::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
    },
    link_database: |linker| database::add_to_linker::<_, HasSelf<_>>(linker, |state| state),
    link_knowledge: |linker| knowledge::add_to_linker::<_, HasSelf<_>>(linker, |state| state),
}];

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.number;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl Version {
    /// Whether the interface has this function, or is there at all where no function is named.
    pub(super) fn has(&self, interface: &str, function: Option<&str>) -> bool {
        let functions = self.interfaces.iter().find(|(name, _)| *name == interface).map(|(_, functions)| functions);
        functions.is_some_and(|functions| function.is_none_or(|function| functions.contains(&function)))
    }

    /// Whether the package is an older or the same patch; what this version lacks no newer host has either.
    pub(super) fn is_as_new_as(&self, package: &PackageName) -> bool {
        package.version.as_ref().is_some_and(|version| version.patch <= self.number.2)
    }
}

/// Whether this is the plugin interface, of whatever version.
pub(super) fn is_ours(package: &PackageName) -> bool {
    package.namespace == "behalf" && package.name == "tool"
}

/// The version that serves plugins of this one. Before 1.0 a minor version is what a major one is later.
pub(super) fn serving(package: &PackageName) -> Option<&'static Version> {
    let version = package.version.as_ref().filter(|version| is_ours(package) && version.pre.is_empty())?;
    VERSIONS.iter().find(|known| {
        let (major, minor, _) = known.number;
        version.major == major && (major > 0 || version.minor == minor)
    })
}

/// All versions, for a message: `behalf:tool@0.1.0`.
pub(super) fn spoken() -> String {
    let all: Vec<_> = VERSIONS.iter().map(|version| format!("behalf:tool@{version}")).collect();
    all.join(" and ")
}

/// The package an interface belongs to.
pub(super) fn package_of(resolve: &Resolve, interface: wit_parser::InterfaceId) -> Option<&PackageName> {
    let package = resolve.interfaces.get(interface)?.package?;
    resolve.packages.get(package).map(|package| &package.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_what_the_wit_says() {
        let mut resolve = Resolve::default();
        let (id, _) = resolve.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
        let (package, newest) = (&resolve.packages[id], VERSIONS.last().unwrap());
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
        let known: Vec<_> = newest.interfaces.iter().map(|(name, functions)| (*name, functions.to_vec())).collect();
        assert_eq!(known, imported);
    }
}
