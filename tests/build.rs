//! Builds the probe guests from source and writes `guests.rs`, which says where each of them is.
#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]
#![allow(unreachable_pub, clippy::disallowed_methods, reason = "a build script is a program of its own")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../host/bundled/build/components.rs"]
mod components;

fn main() {
    let repository = components::repository();
    let guests = repository.join("tests/guests");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../host/bundled/build");
    components::watch(&guests);
    components::watch(&repository.join("plugins/sdk"));
    components::watch(&repository.join("wit"));

    let built = components::build(&repository, &guests, &["--workspace", "--lib", "--examples"]);
    let faults = faults(&repository);

    let mut components = Vec::new();
    for example in components::entries(&guests.join("examples")) {
        let name = components::stem(&example);
        let component = components::place(&built.join(format!("examples/{name}.wasm")), &format!("{name}.wasm"));
        components.push((name, component));
    }
    // What cannot be an example is a package of its own.
    for package in components::entries(&guests).iter().filter(|entry| entry.join("Cargo.toml").is_file()) {
        let name = components::stem(package);
        let component = components::place(&built.join(format!("{name}.wasm")), &format!("{name}.wasm"));
        components.push((name, component));
    }
    let texts: Vec<_> = components::entries(&guests.join("text"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "wat"))
        .map(|path| (components::stem(&path), path))
        .collect();

    let mut source = String::new();
    list(&mut source, "ALL", "Every component by name.", &components);
    list(&mut source, "FAULTS", "Every plugin that breaks a promise, and one that breaks none, by name.", &faults);
    let plugins = plugins(&repository);
    list(&mut source, "PLUGINS", "Every bundled plugin by name.", &plugins);
    list(&mut source, "TEXTS", "Every hand-written component in text form by name.", &texts);
    let path = components::out_dir().join("guests.rs");
    fs::write(&path, source).unwrap_or_else(|error| components::fail(&format!("{}: {error}", path.display())));
}

/// Builds the plugins that break a promise each.
fn faults(repository: &Path) -> Vec<(String, PathBuf)> {
    let faults = repository.join("tests/conformance/faults");
    components::watch(&faults);
    let built = components::build(repository, &faults, &["--examples"]);
    let place = |example: PathBuf| {
        let name = components::stem(&example);
        let component = components::place(&built.join(format!("examples/{name}.wasm")), &format!("fault_{name}.wasm"));
        (format!("fault_{name}"), component)
    };
    components::entries(&faults.join("examples")).into_iter().map(place).collect()
}

/// The plugins that the host's build made and embedded.
fn plugins(repository: &Path) -> Vec<(String, PathBuf)> {
    let plugins = repository.join("plugins");
    components::watch(&plugins);
    let built = components::build(repository, &plugins, &["--workspace", "--lib"]);
    let is_plugin = |entry: &PathBuf| entry.join("plugin.toml").is_file() && entry.join("Cargo.toml").is_file();
    let place = |plugin: PathBuf| {
        let name = components::stem(&plugin);
        let component = built.join(format!("{}.wasm", name.replace('-', "_")));
        (format!("plugin_{name}"), components::place(&component, &format!("plugin_{name}.wasm")))
    };
    components::entries(&plugins).into_iter().filter(is_plugin).map(place).collect()
}

/// One constant for each file, and one that lists them.
fn list(source: &mut String, name: &str, about: &str, files: &[(String, impl AsRef<Path>)]) {
    let mut all = String::new();
    for (file, path) in files {
        let constant = file.to_uppercase().replace('-', "_");
        let path = components::literal(path.as_ref());
        write!(source, "/// Path of `{file}`.\npub const {constant}: &str = {path};\n")
            .expect("writing to a string cannot fail");
        write!(all, "({file:?}, {constant}), ").expect("writing to a string cannot fail");
    }
    write!(source, "/// {about}\npub const {name}: &[(&str, &str)] = &[{all}];\n")
        .expect("writing to a string cannot fail");
}
