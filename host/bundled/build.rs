//! Builds the bundled plugins from source and writes `bundled.rs`, which embeds them in the host.
#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]
#![allow(unreachable_pub, clippy::disallowed_methods, reason = "a build script is a program of its own")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "build/components.rs"]
mod components;

/// The component that reads documents.
const EXTRACTION: &str = "plugins/extraction";

fn main() {
    let repository = components::repository();
    let plugins = repository.join("plugins");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    // Examples in other languages are not embedded, and their builds write beside their sources.
    for entry in components::entries(&plugins).iter().filter(|entry| is_embedded(entry)) {
        println!("cargo::rerun-if-changed={}", entry.display());
    }
    components::watch(&repository.join("wit"));

    let built = components::build(&repository, &plugins, &["--workspace", "--lib"]);
    let extractor = extractor(&repository);

    let mut bundled = String::from(
        "/// Every plugin that comes with the host, in order of names.\npub static BUNDLED: &[BundledPlugin] = &[\n",
    );
    for plugin in components::entries(&plugins) {
        let manifest = plugin.join("plugin.toml");
        // What has no manifest is a library of the others; what is no crate is an example in another language.
        if !manifest.is_file() || !plugin.join("Cargo.toml").is_file() {
            continue;
        }
        let name = components::stem(&plugin);
        let component =
            components::place(&built.join(format!("{}.wasm", name.replace('-', "_"))), &format!("{name}.wasm"));
        writeln!(
            bundled,
            "    BundledPlugin {{ name: {name:?}, component: include_bytes!({}), manifest: include_str!({}) }},",
            components::literal(&component),
            components::literal(&manifest),
        )
        .expect("writing to a string cannot fail");
    }
    bundled.push_str("];\n");
    writeln!(
        bundled,
        "/// The component that reads users' documents. It is no plugin: its world is `behalf:extraction`, and nothing grants it anything.\n\
         pub static EXTRACTOR: &[u8] = include_bytes!({});",
        components::literal(&extractor),
    )
    .expect("writing to a string cannot fail");
    let path = components::out_dir().join("bundled.rs");
    fs::write(&path, bundled).unwrap_or_else(|error| components::fail(&format!("{}: {error}", path.display())));
}

/// Builds the component that reads documents. It is a workspace of its own, so a change of a plugin compiles nothing of it, and the
/// reverse.
fn extractor(repository: &Path) -> PathBuf {
    let folder = repository.join(EXTRACTION);
    for watched in ["Cargo.toml", "Cargo.lock", "src", "wit"] {
        println!("cargo::rerun-if-changed={}", folder.join(watched).display());
    }
    let built = components::build(repository, &folder, &["--lib"]);
    components::place(&built.join("extraction.wasm"), "extraction.wasm")
}

/// Bundled plugins, the SDKs and the templates; a file is the workspace's own.
fn is_embedded(entry: &Path) -> bool {
    let name = components::stem(entry);
    if entry.ends_with(EXTRACTION) {
        return false;
    }
    entry.is_file() || name == "templates" || name.starts_with("sdk") || entry.join("Cargo.toml").is_file()
}
