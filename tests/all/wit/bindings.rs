//! The C bindings that the SDK for C is built on.

use std::collections::{BTreeMap, BTreeSet};

use wit_bindgen_core::Files;
use wit_component::metadata::decode;
use wit_parser::{Resolve, WorldId, WorldItem};

use super::assert_current;
use super::package::Sources;

const FOLDER: &str = "plugins/sdk-c/bindings";

#[test]
fn the_c_bindings_are_generated_from_the_interface() {
    let mut package = Sources::current().package();
    let world = package.world("tool-plugin");
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut package.resolve, world, &mut files).unwrap();
    let mut names = Vec::new();
    for (name, content) in files.iter() {
        assert_current(&format!("{FOLDER}/{name}"), content);
        names.push(name.to_owned());
    }
    names.sort();
    let mut committed: Vec<_> = std::fs::read_dir(super::repository(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    committed.sort();
    assert_eq!(committed, names, "{FOLDER} holds what is not generated");
}

/// The interfaces that a world imports, and their functions.
fn imports(resolve: &Resolve, world: WorldId) -> BTreeMap<String, BTreeSet<String>> {
    let interfaces = resolve.worlds[world].imports.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => Some(*id),
        _ => None,
    });
    let functions = |id| resolve.interfaces[id].functions.keys().cloned().collect();
    interfaces.map(|id| (resolve.id_of(id).expect("a name"), functions(id))).collect()
}

/// The linker takes the description of `wasi:http` as an object file.
#[test]
fn the_object_file_of_http_describes_the_interface_beside_it() {
    let folder = super::repository("plugins/sdk-c/http");
    let object = std::fs::read(folder.join("wasi_http_component_type.o")).unwrap();
    let (_, described) = decode(&object).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(folder.join("wasi_http.wit")).unwrap();
    let world = resolve.packages[package].worlds["http-client"];
    let expected = imports(&resolve, world);
    assert!(expected.contains_key("wasi:http/outgoing-handler@0.2.0"), "{expected:?}");
    assert_eq!(imports(&described.resolve, described.world), expected);
    let source = std::fs::read_to_string(folder.join("wasi_http.c")).unwrap();
    for function in ["[method]future-incoming-response.get", "[method]input-stream.blocking-read", "http-error-code"] {
        assert!(source.contains(function) && expected.values().any(|names| names.contains(function)), "{function}");
    }
}
