//! The C bindings that the SDK for C is built on.

use wit_bindgen_core::Files;

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
