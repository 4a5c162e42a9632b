//! Stops the linker one step before the component: what is left is the core module, which carries the description of
//! our world in a custom section, as a build for wasm32-unknown-unknown does.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=--skip-wit-component");
}
