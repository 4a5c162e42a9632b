//! The versions of `behalf:tool` that this host speaks. docs/authors/compatibility.md says what a new version may change
//! and how a version is put beside another.

use std::fmt;

use wit_parser::{PackageName, Resolve};

/// A minor version of `behalf:tool` with all its patches: a patch only adds functions that plugins can import, so a host
/// with the newest patch serves plugins of every older one. Before 1.0 a minor version may break plugins, as a major
/// version may later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 0.1
    V0_1,
}

/// An interface of `behalf:tool` that plugins can import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: &'static str,
    pub(crate) functions: &'static [&'static str],
}

impl Version {
    /// All of them, oldest first. One linker holds all of them: names in a linker contain the version.
    pub(crate) const ALL: [Self; 1] = [Self::V0_1];

    /// Major, minor and the newest patch that this host has.
    fn number(self) -> (u64, u64, u64) {
        match self {
            Self::V0_1 => (0, 1, 1),
        }
    }

    /// Whether the package is an older or the same patch. A function that this version lacks is then in no host at all.
    pub(crate) fn is_as_new_as(self, package: &PackageName) -> bool {
        package.version.as_ref().is_some_and(|version| version.patch <= self.number().2)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.number();
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// Whether this is the plugin interface, of whatever version.
pub(crate) fn is_ours(package: &PackageName) -> bool {
    package.namespace == "behalf" && package.name == "tool"
}

/// The version that serves plugins of this package.
pub(crate) fn serving(package: &PackageName) -> Option<Version> {
    let version = package.version.as_ref().filter(|version| is_ours(package) && version.pre.is_empty())?;
    Version::ALL.into_iter().find(|known| {
        let (major, minor, _) = known.number();
        version.major == major && (major > 0 || version.minor == minor)
    })
}

/// All versions, for a message: `behalf:tool@0.1.1`.
pub(crate) fn spoken() -> String {
    let all: Vec<_> = Version::ALL.iter().map(|version| format!("behalf:tool@{version}")).collect();
    all.join(" and ")
}

/// The package an interface belongs to.
pub(crate) fn package_of(resolve: &Resolve, interface: wit_parser::InterfaceId) -> Option<&PackageName> {
    let package = resolve.interfaces.get(interface)?.package?;
    resolve.packages.get(package).map(|package| &package.name)
}
