//! Reads an upload before anything is compiled: is it a component of our world, and what could it ever do?

use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmparser::{Parser, Validator, WasmFeatures};
use wit_parser::decoding::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

use super::instances::{CountError, MAX_INSTANCES, MAX_NESTING, check_instances};

/// The largest upload; a Python tool has 20 MB.
pub const MAX_COMPONENT_BYTES: usize = 40 * 1024 * 1024;

/// The plugin interface this host has.
const INTERFACE_VERSION: &str = "0.1.0";

/// Interfaces of `behalf:tool` that a component may import.
const OWN_INTERFACES: [&str; 6] = ["caller", "database", "knowledge", "log", "progress", "settings"];

/// Packages of WASI 0.2 that a component may import; `wasi:http` has to be granted, the others are the `lite` profile.
const WASI_PACKAGES: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// What a component is, without running it.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// SHA-256 of the component.
    #[serde(serialize_with = "as_hex")]
    pub digest: [u8; 32],
    /// Its size in bytes.
    pub size: usize,
    /// What it imports: what it could ever do.
    pub imports: Vec<ImportedInterface>,
    /// `none`, or `lite` where it imports WASI.
    pub wasi: &'static str,
    /// The component, made from a core module where that was uploaded.
    #[serde(skip)]
    pub component: Vec<u8>,
}

/// An interface that a component imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportedInterface {
    /// As in `behalf:tool/database@0.1.0`.
    pub name: String,
    /// Its functions, as far as the component's toolchain names only those it uses.
    pub functions: Vec<String>,
}

/// Why an upload is no plugin.
#[derive(Debug, Error)]
pub enum InspectError {
    /// Too large.
    #[error(
        "the component has {0} bytes; {MAX_COMPONENT_BYTES} are allowed (strip debug information, or build for size)"
    )]
    TooLarge(usize),
    /// Not WebAssembly.
    #[error("this is not a WebAssembly component; build one with `behalf tool build`")]
    NotWasm,
    /// Not valid, or it uses features that are off.
    #[error("the component is not valid here: {0}")]
    Invalid(String),
    /// It makes too many instances, or nobody can say how many.
    #[error("the component is built too large: {0}")]
    Instances(String),
    /// A core module that carries no description of our world.
    #[error("this is a core module, not a component, and it cannot be made one: {0}")]
    Module(String),
    /// It exports something else.
    #[error("the component does not export behalf:tool/tool@{INTERFACE_VERSION}; it was built for {0}")]
    WrongWorld(String),
    /// It imports something that no grant could give it.
    #[error("the component imports {0}, which this host does not have")]
    UnknownImport(String),
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
        encode(bytes)?
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
    check_exports(&resolve, world.exports.keys())?;
    let mut imports = Vec::new();
    for (key, item) in &world.imports {
        let name = resolve.name_world_key(key);
        check_import(&name)?;
        if let WorldItem::Interface { id, .. } = item {
            let functions = resolve.interfaces.get(*id).map(|one| one.functions.keys().cloned().collect());
            imports.push(ImportedInterface { name, functions: functions.unwrap_or_default() });
        } else {
            return Err(InspectError::UnknownImport(name));
        }
    }
    let wasi = if imports.iter().any(|import| import.name.starts_with("wasi:")) { "lite" } else { "none" };
    Ok(Inspection { digest: Sha256::digest(&component).into(), size: component.len(), imports, wasi, component })
}

/// Makes a component of a core module. The encoder expects a sound module, so that is seen to first.
fn encode(module: &[u8]) -> Result<Vec<u8>, InspectError> {
    let wrong = |error: &dyn std::fmt::Display| InspectError::Module(first_line(&format!("{error:#}")));
    Validator::new_with_features(features()).validate_all(module).map_err(|error| wrong(&error.message()))?;
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| wrong(&error))
}

fn count_error(error: &CountError) -> InspectError {
    InspectError::Instances(match error {
        CountError::Instances => format!("it makes more than {MAX_INSTANCES} instances; instantiate less"),
        CountError::Nesting => format!("components nest more than {MAX_NESTING} levels; compose them side by side"),
        CountError::Passed => "it hands components to components; instantiate them where they are defined".to_owned(),
        CountError::Malformed(error) => return InspectError::Invalid(first_line(error.message())),
    })
}

fn check_exports<'a>(resolve: &Resolve, exports: impl Iterator<Item = &'a WorldKey>) -> Result<(), InspectError> {
    let names: Vec<_> = exports.map(|key| resolve.name_world_key(key)).collect();
    let ours = names.iter().find_map(|name| name.strip_prefix("behalf:tool/tool@"));
    match ours {
        Some(version) if version.starts_with("0.1.") => Ok(()),
        Some(version) => Err(InspectError::WrongWorld(format!("behalf:tool@{version}"))),
        None if names.is_empty() => Err(InspectError::WrongWorld("no world: it exports nothing".to_owned())),
        None => Err(InspectError::WrongWorld(first_line(&names.join(", ")))),
    }
}

fn check_import(name: &str) -> Result<(), InspectError> {
    let unknown = || InspectError::UnknownImport(first_line(name));
    let (path, version) = name.split_once('@').ok_or_else(unknown)?;
    let (package, interface) = path.split_once('/').ok_or_else(unknown)?;
    let known = match package.split_once(':') {
        Some(("behalf", "tool")) => version.starts_with("0.1.") && OWN_INTERFACES.contains(&interface),
        Some(("wasi", package)) => version.starts_with("0.2.") && WASI_PACKAGES.contains(&package),
        _ => false,
    };
    if known { Ok(()) } else { Err(unknown()) }
}

/// Messages of parsers quote what they read; a stranger wrote it.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

fn as_hex<S: serde::Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(digest))
}
