use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::Project;
use super::program::{on_path, output, run};

/// Later versions are taken when they were tried.
const COMPONENTIZE: &str = "0.25.1";
const WORLD: &str = "tool-plugin";
/// Where the project's dependencies are unpacked.
const PACKAGES: &str = "build/site-packages";

/// The part of `pyproject.toml` that a build needs.
#[derive(Debug, Default, Deserialize)]
struct PyProject {
    #[serde(default)]
    project: ProjectTable,
}

#[derive(Debug, Default, Deserialize)]
struct ProjectTable {
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Takes a snapshot of an interpreter that has imported the project's module, and returns where it is.
pub(super) async fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let dir = &project.dir;
    let componentize = find(dir).await?;
    let module = module(project)?;
    let packages = dir.join(PACKAGES);
    if !dependencies(dir)?.is_empty() && !packages.is_dir() {
        bail!("the project's dependencies are not installed; give --install once, and after changing them");
    }
    let out = dir.join("build").join(format!("{}.wasm", project.manifest.name));
    std::fs::create_dir_all(dir.join("build")).with_context(|| format!("cannot write to {}", dir.display()))?;
    let source = project.manifest.build.entry.as_deref().and_then(Path::parent).unwrap_or(Path::new("src"));
    let mut arguments: Vec<String> = ["-d", "vendor/wit", "-w", WORLD, "componentize"].map(str::to_owned).to_vec();
    for path in [&dir.join("vendor/behalf-sdk"), &dir.join(source), &packages] {
        if path.is_dir() {
            arguments.extend(["-p".to_owned(), path.display().to_string()]);
        }
    }
    arguments.extend(["-o".to_owned(), out.display().to_string(), module]);
    run(&componentize, &arguments, dir).await?;
    Ok(out)
}

/// Makes `.venv` with componentize-py, and unpacks the project's dependencies.
pub(super) async fn install(project: &Project) -> anyhow::Result<()> {
    let dir = &project.dir;
    if find(dir).await.is_err() {
        let python =
            on_path("python3").context("python3 is missing; install Python 3.10 or newer with its venv module")?;
        run(&python, &["-m", "venv", ".venv"], dir).await?;
        pip(dir, &["install", &format!("componentize-py=={COMPONENTIZE}")]).await?;
    }
    let dependencies = dependencies(dir)?;
    if dependencies.is_empty() {
        return Ok(());
    }
    // What is compiled for this machine cannot run in the component, so only pure Python is taken.
    let mut arguments = vec![
        "install",
        "--upgrade",
        "--no-compile",
        "--target",
        PACKAGES,
        "--only-binary=:all:",
        "--platform=any",
        "--implementation=py",
    ];
    arguments.extend(dependencies.iter().map(String::as_str));
    pip(dir, &arguments).await.context("the dependencies have to be pure Python")
}

async fn pip(dir: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let own = dir.join(".venv/bin/python");
    let python = if own.is_file() { own } else { on_path("python3").context("python3 is missing")? };
    let arguments = [&["-m", "pip", "--quiet", "--disable-pip-version-check"], arguments].concat();
    run(&python, &arguments, dir).await
}

/// The project's own, then the one on `PATH`.
async fn find(dir: &Path) -> anyhow::Result<PathBuf> {
    let own = dir.join(".venv/bin/componentize-py");
    let program = if own.is_file() { Some(own) } else { on_path("componentize-py") };
    let program = program.with_context(|| {
        format!("componentize-py is missing; give --install, or run `pip install componentize-py=={COMPONENTIZE}`")
    })?;
    let version = output(&program, &["--version"], dir).await?;
    if version.split_whitespace().last() != Some(COMPONENTIZE) {
        bail!(
            "{} is {}, and {COMPONENTIZE} is needed; give --install, or run `pip install componentize-py=={COMPONENTIZE}`",
            program.display(),
            version.trim()
        );
    }
    Ok(program)
}

fn dependencies(dir: &Path) -> anyhow::Result<Vec<String>> {
    let path = dir.join("pyproject.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let parsed: PyProject = toml::from_str(&text).with_context(|| format!("{} is not readable", path.display()))?;
    Ok(parsed.project.dependencies)
}

/// The module to import: the manifest's entry, or the file named like the project.
fn module(project: &Project) -> anyhow::Result<String> {
    let own = PathBuf::from("src").join(format!("{}.py", project.manifest.name.replace('-', "_")));
    let entry = project.manifest.build.entry.clone().unwrap_or(own);
    if !project.dir.join(&entry).exists() {
        bail!("{} is missing; name the module in plugin.toml: [build] entry = \"src/….py\"", entry.display());
    }
    Ok(entry.file_stem().context("[build] entry is no file")?.to_string_lossy().into_owned())
}
