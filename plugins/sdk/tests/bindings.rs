//! The bindings in this crate are what wit-bindgen makes of the interface beside it.

use std::fs;
use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::Opts;

/// Set to write the file instead of comparing it.
const UPDATE: &str = "BEHALF_UPDATE_BINDINGS";

fn generate(wit: &Path) -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).expect("the interface is sound");
    let world = resolve.select_world(&[package], Some("tool-plugin")).expect("it has the world");
    let options = Opts {
        format: true,
        additional_derive_attributes: vec!["PartialEq".to_owned()],
        pub_export_macro: true,
        export_macro_name: Some("export_component".to_owned()),
        default_bindings_module: Some("behalf_sdk::bindings".to_owned()),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).expect("bindings");
    let (_, text) = files.iter().next().expect("one file");
    String::from_utf8(text.to_vec()).expect("Rust is UTF-8")
}

/// They are kept, not made in every build, because the generator is more than half of what a plugin's first build takes.
#[test]
fn the_bindings_are_those_of_the_interface() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = here.join("src/bindings/generated.rs");
    let expected = generate(&here.join("wit"));
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&file, &expected).expect("the bindings can be written");
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == expected, "run `{UPDATE}=1 cargo test -p behalf-sdk --test bindings`");
}
