//! Rust: cargo builds the component.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use super::mode::Mode;
use super::program::{on_path, output, run};
use crate::project::Project;

const TARGET: &str = "wasm32-wasip2";
const NO_CARGO: &str = "cargo is missing; install Rust 1.95 or newer from https://rustup.rs";

/// Options that shorten the build of the release profile. None changes what the tool does.
const QUICK: [&str; 4] = [
    "--config=profile.release.lto=\"off\"",
    "--config=profile.release.codegen-units=16",
    "--config=profile.release.incremental=true",
    "--config=profile.release.opt-level=1",
];

/// Builds the component with cargo and returns the path of cargo's file.
pub(super) async fn build(project: &Project, mode: Mode) -> anyhow::Result<PathBuf> {
    let cargo = on_path("cargo").context(NO_CARGO)?;
    if !has_target(&project.dir).await? {
        bail!(
            "this Rust toolchain lacks {TARGET}; run `rustup target add {TARGET}`, or give --install to have it done"
        );
    }
    let mut arguments =
        vec!["build", "--release", "--lib", "--target", TARGET, "--message-format", "json-render-diagnostics"];
    if mode == Mode::Quick {
        arguments.extend(QUICK);
    }
    let messages = output(&cargo, &arguments, &project.dir).await?;
    component(&messages, &project.dir).with_context(|| {
        format!(
            "cargo built no component in {}; Cargo.toml needs [lib] with crate-type = [\"cdylib\"]",
            project.dir.display()
        )
    })
}

/// Adds the target, where it is missing.
pub(super) async fn install() -> anyhow::Result<()> {
    let here = Path::new(".");
    on_path("cargo").context(NO_CARGO)?;
    if has_target(here).await? {
        return Ok(());
    }
    let rustup = on_path("rustup").with_context(|| {
        format!("rustup is missing, which would add {TARGET}; add it the way your Rust was installed")
    })?;
    run(&rustup, &["target", "add", TARGET], here).await
}

async fn has_target(dir: &Path) -> anyhow::Result<bool> {
    let rustc = on_path("rustc").context(NO_CARGO)?;
    let folder = output(&rustc, &["--print", "target-libdir", "--target", TARGET], dir).await?;
    Ok(std::fs::read_dir(folder.trim_end())
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))))
}

/// Finds the component in cargo's messages (<https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>):
/// the library of the project itself, not of a package it uses.
fn component(messages: &str, dir: &Path) -> Option<PathBuf> {
    let manifest = dir.join("Cargo.toml");
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = artifacts.filter(|message| {
        message["reason"] == "compiler-artifact" && message["manifest_path"].as_str().map(Path::new) == Some(&manifest)
    });
    let files = own.filter_map(|message| message["filenames"].as_array().cloned()).flatten();
    files.filter_map(|file| file.as_str().map(PathBuf::from)).find(|file| file.extension() == Some("wasm".as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_the_projects_own_library() {
        let message = |manifest: &str, file: &str| {
            serde_json::json!({ "reason": "compiler-artifact", "manifest_path": manifest, "filenames": [file] })
                .to_string()
        };
        let messages = [
            message("/p/vendor/sdk/Cargo.toml", "/t/sdk.wasm"),
            message("/p/Cargo.toml", "/t/libtool.rlib"),
            message("/p/Cargo.toml", "/t/tool.wasm"),
            "no JSON".to_owned(),
        ];
        assert_eq!(component(&messages.join("\n"), Path::new("/p")), Some(PathBuf::from("/t/tool.wasm")));
        assert_eq!(component(&messages[..2].join("\n"), Path::new("/p")), None);
    }
}
