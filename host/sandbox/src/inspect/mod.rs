//! Reads an upload before it is compiled: whether it is a component of our world, and which interfaces it imports.

mod encode;
mod instances;

use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmparser::{Parser, Validator, WasmFeatures};
use wit_parser::decoding::DecodedWasm;
use wit_parser::{PackageName, Resolve, World, WorldItem, WorldKey};

use crate::capabilities;
use crate::imports::ImportedInterface;
use crate::versions::{self, Version};
use encode::encode;
use instances::{CountError, MAX_INSTANCES, MAX_NESTING, check_instances};

/// The largest upload; a Python tool has 20 MB.
pub const MAX_COMPONENT_BYTES: usize = 40 * 1024 * 1024;

/// Packages of WASI 0.2 that a component may import; `wasi:http` has to be granted, the others are the `lite` profile.
const WASI_PACKAGES: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// The facts of a component that are known without running it.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// SHA-256 of the component.
    #[serde(serialize_with = "as_hex")]
    pub digest: [u8; 32],
    /// Its size in bytes.
    pub size: usize,
    /// The interfaces that it imports. It can never do anything else.
    pub imports: Vec<ImportedInterface>,
    /// `none`, or `lite` where it imports WASI.
    pub wasi: &'static str,
    /// The component, made from a core module where that was uploaded.
    #[serde(skip)]
    pub component: Vec<u8>,
}

/// Why an upload is no plugin.
#[derive(Debug, Error)]
pub enum InspectError {
    /// It is too large.
    #[error(
        "the component has {0} bytes; {MAX_COMPONENT_BYTES} are allowed (strip debug information, or build for size)"
    )]
    TooLarge(usize),
    /// It is not WebAssembly.
    #[error("this is not a WebAssembly component; build one with `behalf tool build`")]
    NotWasm,
    /// It is not valid, or it uses features that are off.
    #[error("the component is not valid here: {0}")]
    Invalid(String),
    /// It makes too many instances, or they cannot be counted.
    #[error("the component is built too large: {0}")]
    Instances(String),
    /// A core module that carries no description of our world.
    #[error("this is a core module, not a component, and it cannot be made one: {0}")]
    Module(String),
    /// It does not export our world.
    #[error(
        "the component does not export {exported}; it was built for {0}; build it for the world tool-plugin, as `behalf tool \
         build` does",
        exported = exported()
    )]
    WrongWorld(String),
    /// It is a plugin of a version that this host does not speak.
    #[error(
        "the plugin was built for {0}, and this host has {has}; build the plugin against {has}, or run it on a host \
         that has {0}", has = versions::spoken()
    )]
    WrongVersion(String),
    /// It imports an interface that this host does not have.
    #[error("the component imports {import}, which this host does not have: {fix}")]
    UnknownImport {
        /// The interface, or a function of one.
        import: String,
        /// What the host has instead, and how to change the component.
        fix: String,
    },
}

fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::RELAXED_SIMD
}

/// Inspects an upload. Takes milliseconds for a small component, a tenth of a second for a large one; run it where that
/// delays nobody.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    if bytes.len() > MAX_COMPONENT_BYTES {
        return Err(InspectError::TooLarge(bytes.len()));
    }
    let component = if Parser::is_component(bytes) {
        bytes.to_vec()
    } else if Parser::is_core_wasm(bytes) {
        encode(bytes, features()).map_err(|error| InspectError::Module(first_line(&error)))?
    } else {
        return Err(InspectError::NotWasm);
    };
    check_instances(&component).map_err(|error| count_error(&error))?;
    Validator::new_with_features(features())
        .validate_all(&component)
        .map_err(|error| InspectError::Invalid(first_line(error.message())))?;
    let decoded = wit_parser::decoding::decode(&component)
        .map_err(|error| InspectError::Invalid(first_line(&format!("{error:#}"))))?;
    let DecodedWasm::Component(resolve, world) = decoded else { return Err(InspectError::NotWasm) };
    let world = resolve.worlds.get(world).ok_or(InspectError::NotWasm)?;
    check_exports(&resolve, world)?;
    let imports = read_imports(&resolve, world)?;
    let wasi = if imports.iter().any(|import| import.name.starts_with("wasi:")) { "lite" } else { "none" };
    Ok(Inspection { digest: Sha256::digest(&component).into(), size: component.len(), imports, wasi, component })
}

fn count_error(error: &CountError) -> InspectError {
    InspectError::Instances(match error {
        CountError::Instances => format!("it makes more than {MAX_INSTANCES} instances; instantiate less"),
        CountError::Nesting => format!("components nest more than {MAX_NESTING} levels; compose them side by side"),
        CountError::Passed => "it hands components to components; instantiate them where they are defined".to_owned(),
        CountError::Malformed(error) => return InspectError::Invalid(first_line(error.message())),
    })
}

/// A plugin may export its tools for several versions; one that is spoken here is enough.
fn check_exports(resolve: &Resolve, world: &World) -> Result<(), InspectError> {
    let packages: Vec<_> = world
        .exports
        .keys()
        .filter_map(|key| match key {
            WorldKey::Interface(id) if resolve.interfaces.get(*id)?.name.as_deref() == Some("tool") => {
                versions::package_of(resolve, *id)
            }
            _ => None,
        })
        .filter(|package| versions::is_ours(package))
        .collect();
    if packages.iter().any(|package| versions::serving(package).is_some()) {
        return Ok(());
    }
    let list = |names: Vec<String>| first_line(&names.join(", "));
    if !packages.is_empty() {
        return Err(InspectError::WrongVersion(list(packages.iter().map(ToString::to_string).collect())));
    }
    Err(InspectError::WrongWorld(if world.exports.is_empty() {
        "no world: it exports nothing".to_owned()
    } else {
        list(world.exports.keys().map(|key| resolve.name_world_key(key)).collect())
    }))
}

/// The interface that a plugin has to export, for each version.
fn exported() -> String {
    let all: Vec<_> = Version::ALL.iter().map(|version| format!("behalf:tool/tool@{version}")).collect();
    all.join(" or ")
}

fn read_imports(resolve: &Resolve, world: &World) -> Result<Vec<ImportedInterface>, InspectError> {
    let mut imports = Vec::new();
    for (key, item) in &world.imports {
        let name = resolve.name_world_key(key);
        let unknown = |import: &str, fix: String| InspectError::UnknownImport { import: first_line(import), fix };
        let found = match item {
            WorldItem::Interface { id, .. } => resolve.interfaces.get(*id).zip(versions::package_of(resolve, *id)),
            _ => None,
        };
        let Some((found, package)) = found else {
            return Err(unknown(&name, "plugins import interfaces of packages; leave it out".to_owned()));
        };
        let interface = found.name.as_deref().unwrap_or_default();
        let functions: Vec<String> = found.functions.keys().cloned().collect();
        if versions::is_ours(package) {
            let version = versions::serving(package).ok_or_else(|| unknown(&name, other_version(package)))?;
            let missing = std::iter::once(None)
                .chain(functions.iter().map(|function| Some(function.as_str())))
                .find(|function| !capabilities::has(version, interface, *function));
            if let Some(missing) = missing {
                let import = missing.map_or_else(|| name.clone(), |function| format!("`{function}` of {name}"));
                let fix = if version.is_as_new_as(package) {
                    format!("{package} never had it; build against the interface as it was released")
                } else {
                    other_version(package)
                };
                return Err(unknown(&import, fix));
            }
        } else if !is_known_wasi(package) {
            let fix = if package.namespace == "wasi" {
                format!("it has WASI 0.2 with {}; build for that", WASI_PACKAGES.join(", "))
            } else {
                let PackageName { namespace, name, .. } = package;
                format!("plugins import {} and WASI 0.2; leave {namespace}:{name} out", versions::spoken())
            };
            return Err(unknown(&name, fix));
        }
        imports.push(ImportedInterface { name, functions });
    }
    Ok(imports)
}

/// Advice for a plugin that was built for a newer version than this host has.
fn other_version(package: &PackageName) -> String {
    let has = versions::spoken();
    format!("it has {has}, and the plugin was built for {package}; build it against {has}, or update the host")
}

fn is_known_wasi(package: &PackageName) -> bool {
    package.namespace == "wasi"
        && WASI_PACKAGES.contains(&package.name.as_str())
        && package.version.as_ref().is_some_and(|version| (version.major, version.minor) == (0, 2))
}

/// The first line, cut: messages of parsers quote their input, which is not trusted.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

fn as_hex<S: serde::Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(digest))
}
