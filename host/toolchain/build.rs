//! Compiles the library with which `behalf tool build` runs compilers that take snapshots: `src/build/steady.c`.
#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]
#![allow(clippy::disallowed_methods, reason = "a build script is a program of its own")]

use std::path::Path;

const SOURCE: &str = "src/build/steady.c";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SOURCE}");
    let cargo = |name: &str| std::env::var(name).expect("cargo sets it");
    let library = Path::new(&cargo("OUT_DIR")).join("steady.so");
    let (system, processor) = (cargo("CARGO_CFG_TARGET_OS"), cargo("CARGO_CFG_TARGET_ARCH"));
    if system != "linux" || !matches!(processor.as_str(), "x86_64" | "aarch64") {
        std::fs::write(&library, "").expect("the folder of a build is writable");
        return;
    }
    let mut compiler = cc::Build::new().opt_level(2).debug(false).get_compiler().to_command();
    compiler
        .args(["-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-fno-stack-protector", SOURCE, "-o"])
        .arg(&library);
    let status = compiler.status().expect("a C compiler runs: install one, or name it in CC");
    assert!(status.success(), "{SOURCE} does not compile");
}
