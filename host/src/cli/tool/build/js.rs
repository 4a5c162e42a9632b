use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::Project;
use super::program::{on_path, run};

const WORLD: &str = "tool-plugin";
const TOOLS: [&str; 2] = ["esbuild", "componentize-qjs"];

/// Bundles the entry file, takes a snapshot of an interpreter that has run it, and returns where it is.
pub(super) async fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let dir = &project.dir;
    let entry = entry(project)?;
    let [esbuild, componentize] = TOOLS.map(|tool| dir.join("node_modules/.bin").join(tool));
    if let Some(missing) = [&esbuild, &componentize].into_iter().find(|tool| !tool.is_file()) {
        bail!("{} is missing; give --install, or run `npm ci` in {}", missing.display(), dir.display());
    }
    let bundle = dir.join("build").join("tool.js");
    let bundle_text = bundle.display().to_string();
    let out = dir.join("build").join(format!("{}.wasm", project.manifest.name));
    std::fs::create_dir_all(dir.join("build")).with_context(|| format!("cannot write to {}", dir.display()))?;
    let arguments = [
        entry.display().to_string(),
        "--bundle".to_owned(),
        "--format=esm".to_owned(),
        "--platform=neutral".to_owned(),
        "--main-fields=module,main".to_owned(),
        "--external:behalf:*".to_owned(),
        "--external:wasi:*".to_owned(),
        "--log-level=warning".to_owned(),
        format!("--outfile={bundle_text}"),
    ];
    run(&esbuild, &arguments, dir).await?;
    let out_text = out.display().to_string();
    let arguments = ["--wit", "vendor/wit", "--js", &bundle_text, "-n", WORLD, "--sync", "--opt-size", "-o", &out_text];
    run(&componentize, &arguments, dir).await?;
    Ok(out)
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
        bail!("{} is missing; mend [build] entry in plugin.toml", entry.display());
    }
    Ok(entry)
}
