//! Builds a workspace of WebAssembly components, for the build scripts of the host and of the tests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

const TARGET: &str = "wasm32-wasip2";

/// Variables of the outer build that would change the inner one: its flags, its wrappers (clippy is one), its target
/// directory, what it told this script about the package. Where to find packages and the job server stay.
fn belongs_to_outer_build(variable: &str) -> bool {
    const STAYS: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    const GOES: [&str; 6] = ["CARGO", "CLIPPY_", "DEP_", "RUSTC", "RUSTDOC", "RUSTFLAGS"];
    GOES.iter().any(|prefix| variable.starts_with(prefix)) && !STAYS.iter().any(|prefix| variable.starts_with(prefix))
}

/// Builds the workspace in `workspace` and returns the directory its components are in. `selection` says what of it.
pub fn build(repository: &Path, workspace: &Path, selection: &[&str]) -> PathBuf {
    for variable in ["BEHALF_WASM_CARGO", "BEHALF_WASM_RUSTC", "BEHALF_WASM_BUILD_STD"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let build_std = env::var_os("BEHALF_WASM_BUILD_STD").is_some_and(|value| value == "1");
    let other_cargo = env::var_os("BEHALF_WASM_CARGO");
    let rustc = env::var_os("BEHALF_WASM_RUSTC").or_else(|| {
        // Another cargo comes with its own compiler.
        if other_cargo.is_some() { None } else { env::var_os("RUSTC") }
    });
    let cargo = other_cargo.or_else(|| env::var_os("CARGO")).unwrap_or_else(|| "cargo".into());

    if !build_std && !has_target(&rustc.clone().unwrap_or_else(|| "rustc".into())) {
        refuse(&format!(
            "the plugins are compiled for {TARGET}, which this Rust toolchain lacks. Run `./dev`, which installs what is \
             missing, or `rustup target add {TARGET}`."
        ));
    }

    // Not the outer build's own directory, which is locked while this script runs.
    let target_dir = outer_target_dir().join("plugins");
    let mut command = Command::new(&cargo);
    for (variable, _) in env::vars_os() {
        if variable.to_str().is_some_and(belongs_to_outer_build) {
            command.env_remove(&variable);
        }
    }
    command
        .current_dir(workspace)
        .args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .args(selection)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(repository));
    if let Some(rustc) = rustc {
        command.env("RUSTC", rustc);
    }
    if build_std {
        command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
    }
    match command.status() {
        Ok(status) if status.success() => target_dir.join(TARGET).join("release"),
        Ok(status) => fail(&format!("`cargo build` in {} ended with {status}", workspace.display())),
        Err(error) => fail(&format!("cannot run {}: {error}", cargo.display())),
    }
}

/// The same component from every checkout: paths in panic messages do not say where it was built. Being set, this also
/// keeps flags from configuration files out.
fn flags(repository: &Path) -> String {
    let mut flags = vec![format!("--remap-path-prefix={}=/behalf", repository.display())];
    let cargo_home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    if let Some(cargo_home) = cargo_home {
        flags.push(format!("--remap-path-prefix={}=/cargo", cargo_home.display()));
    }
    flags.join("\u{1f}")
}

fn has_target(rustc: &std::ffi::OsStr) -> bool {
    let Ok(output) = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output() else {
        return false;
    };
    let directory = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    fs::read_dir(directory)
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
}

/// The directory above the outer build's profiles, or this script's own if the layout is one not known here.
fn outer_target_dir() -> PathBuf {
    let out_dir = out_dir();
    out_dir
        .ancestors()
        .find(|directory| directory.file_name().is_some_and(|name| name == "build"))
        .and_then(|build| build.parent()?.parent())
        .map_or_else(|| out_dir.clone(), Path::to_path_buf)
}

/// Where this script may write.
pub fn out_dir() -> PathBuf {
    env::var_os("OUT_DIR").expect("cargo sets OUT_DIR").into()
}

/// The root of the repository, given that the package lies one folder below it.
pub fn repository() -> PathBuf {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let root = manifest_dir.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.expect("a package of the workspace lies below its root").to_path_buf()
}

/// What lies directly in `directory`, sorted, without the output of builds.
pub fn entries(directory: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(directory).unwrap_or_else(|error| fail(&format!("{}: {error}", directory.display())));
    let mut entries: Vec<_> = listing.flatten().map(|entry| entry.path()).collect();
    entries.retain(|path| path.file_name().is_some_and(|name| name != "target"));
    entries.sort();
    entries
}

/// Asks for another run when anything in `directory` changes, save the output of builds.
pub fn watch(directory: &Path) {
    for entry in entries(directory) {
        println!("cargo::rerun-if-changed={}", entry.display());
    }
}

/// Copies a component next to what this script generates, and leaves a file that is the same already alone, so that what
/// includes it is not compiled again.
pub fn place(from: &Path, name: &str) -> PathBuf {
    let to = out_dir().join(name);
    let new = fs::read(from).unwrap_or_else(|error| fail(&format!("{}: {error}", from.display())));
    if fs::read(&to).ok().as_ref() != Some(&new) {
        fs::write(&to, new).unwrap_or_else(|error| fail(&format!("{}: {error}", to.display())));
    }
    to
}

/// The last part of a path, without its ending.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A path as a Rust string literal.
pub fn literal(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// Ends the build with one message, and shows what has been printed up to here.
pub fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    process::exit(1)
}

/// Ends the build with one message alone: cargo counts the message as the failure.
fn refuse(message: &str) -> ! {
    println!("cargo::error={message}");
    process::exit(0)
}
