//! JavaScript and TypeScript: the SDK's script bundles and takes a snapshot.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use super::mode::Mode;
use super::program::{on_path, run};
use super::steady::run_steadily;
use crate::project::Project;

const NO_NODE: &str = "node is missing; install Node.js 20 or newer";

/// Bundles the entry file, takes a snapshot of an interpreter that has run it, and returns the snapshot's path. The SDK's own
/// script does both, with the versions that the project pins. Types are checked meanwhile; a quick build leaves that to its caller.
pub(super) async fn build(project: &Project, mode: Mode) -> anyhow::Result<PathBuf> {
    let dir = &project.dir;
    let entry = entry(project)?;
    let node = on_path("node").context(NO_NODE)?;
    if !dir.join("node_modules").is_dir() {
        bail!("node_modules is missing; give --install, or run `npm ci` in {}", dir.display());
    }
    let (sdk, wit) = project.sdk()?;
    let out = dir.join("build").join(format!("{}.wasm", project.manifest.name));
    let arguments = [
        sdk.join("build.js").into_os_string(),
        entry.into(),
        "-o".into(),
        out.clone().into(),
        "--wit".into(),
        wit.into(),
    ];
    let bundled = run_steadily(&node, &arguments, dir);
    match mode {
        Mode::Release => tokio::try_join!(check_types(project), bundled).map(drop)?,
        Mode::Quick => bundled.await?,
    }
    Ok(out)
}

/// Checks the types of what goes into the component, in a project with a tsconfig.json and TypeScript's compiler, which prints
/// what is wrong. Types of tests are left to the project's own `check`: a tool can be built before its tests are rewritten.
pub(super) async fn check_types(project: &Project) -> anyhow::Result<()> {
    let compiler = Path::new("node_modules/typescript/bin/tsc");
    if !project.dir.join("tsconfig.json").is_file() || !project.dir.join(compiler).is_file() {
        return Ok(());
    }
    let node = on_path("node").context(NO_NODE)?;
    let config = json!({
        "extends": "../tsconfig.json",
        // What the compiler learns is kept, so that the next check is short.
        "compilerOptions": { "noEmit": true, "incremental": true, "tsBuildInfoFile": "types.tsbuildinfo" },
        "files": [Path::new("..").join(entry(project)?)],
        "include": ["../src/**/*.d.ts"],
    });
    let place = Path::new("build/types.json");
    let written = project.dir.join(place);
    let cannot = || format!("cannot write {}", written.display());
    std::fs::create_dir_all(project.dir.join("build")).with_context(cannot)?;
    std::fs::write(&written, config.to_string()).with_context(cannot)?;
    run(&node, &[compiler, Path::new("-p"), place], &project.dir).await.context("the types are wrong")
}

/// Fetches what `package-lock.json` pins.
pub(super) async fn install(project: &Project) -> anyhow::Result<()> {
    let npm = on_path("npm").context("npm is missing; install Node.js 20 or newer")?;
    let locked = project.dir.join("package-lock.json").is_file();
    let what = if locked { "ci" } else { "install" };
    run(&npm, &[what, "--no-audit", "--no-fund", "--loglevel=error"], &project.dir).await
}

fn entry(project: &Project) -> anyhow::Result<PathBuf> {
    let known = ["src/tool.ts", "src/tool.js"].map(PathBuf::from);
    let entry = match &project.manifest.build.entry {
        Some(entry) => Some(entry.clone()),
        None => known.into_iter().find(|file| project.dir.join(file).is_file()),
    };
    let entry =
        entry.context("there is no src/tool.ts; name the entry in plugin.toml: [build] entry = \"src/….ts\"")?;
    if !Path::new(&project.dir).join(&entry).is_file() {
        bail!("{} is missing; fix [build] entry in plugin.toml", entry.display());
    }
    Ok(entry)
}
