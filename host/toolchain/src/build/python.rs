//! Python: componentize-py takes a snapshot of an interpreter.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::inputs::Inputs;
use super::program::{on_path, output, run};
use super::{python_packages, python_world};
use crate::project::Project;

/// The version of componentize-py that was tested.
const COMPONENTIZE: &str = "0.25.1";
/// Where the packages that go into the component are unpacked.
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

/// Takes a snapshot of an interpreter that has imported the project's module, and returns its path.
pub(super) async fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let dir = &project.dir;
    let componentize = find(dir).await?;
    let module = module(project)?;
    let packages = dir.join(PACKAGES);
    if !packages.is_dir() {
        bail!("the project's packages are not installed; give --install once, and after changing dependencies");
    }
    let (sdk, wit) = project.sdk()?;
    let out = dir.join("build").join(format!("{}.wasm", project.manifest.name));
    let source = project.manifest.build.entry.as_deref().and_then(Path::parent).unwrap_or(Path::new("src"));
    // A snapshot takes long, and each is another one: parts of what Python read of the file system stay in its memory.
    let more = format!("{COMPONENTIZE} {module} {:?}", project.manifest.grants);
    let inputs = Inputs::of_component(&[&dir.join(source), &sdk, &wit, &packages], &more).await?;
    if inputs.made(&out) {
        return Ok(out);
    }
    Inputs::forget(&out);
    let path = |path: &Path| path.display().to_string();
    let (worlds, library, source) = (path(&sdk.join("wit")), path(&sdk.join("src")), path(&dir.join(source)));
    let (wit, packages, file, world) = (path(&wit), path(&packages), path(&out), path(&python_world::write(project)?));
    let arguments = [
        "-q",
        "-d",
        &wit,
        "-d",
        &worlds,
        "-d",
        &world,
        "-w",
        python_world::WORLD,
        "componentize",
        &module,
        "-p",
        &source,
        "-p",
        &library,
        "-p",
        &packages,
        "-o",
        &file,
    ];
    // The compiler adds the packages of the environment that it runs in, whichever that is. What a tool imports is in
    // `PACKAGES`, so it gets an environment without packages.
    let environment = dir.join("build/environment");
    let nothing = environment.join("lib/site-packages");
    std::fs::create_dir_all(&nothing).with_context(|| format!("cannot write to {}", nothing.display()))?;
    super::program::run_with(&componentize, &arguments, dir, Some(("VIRTUAL_ENV", environment.as_os_str()))).await?;
    inputs.note(&out)?;
    Ok(out)
}

/// Makes `.venv` with the compiler and what unit tests import, and unpacks what goes into the component.
pub(super) async fn install(project: &Project) -> anyhow::Result<()> {
    let dir = &project.dir;
    let (sdk, _) = project.sdk()?;
    let mut packages = vec![sdk.display().to_string()];
    packages.extend(dependencies(dir)?);
    let python = dir.join(".venv/bin/python");
    if !python.is_file() {
        let system =
            on_path("python3").context("python3 is missing; install Python 3.11 or newer with its venv module")?;
        run(&system, &["-m", "venv", ".venv"], dir).await?;
    }
    let compiler = format!("componentize-py=={COMPONENTIZE}");
    let mut own: Vec<_> = packages.iter().map(String::as_str).collect();
    if find(dir).await.is_err() {
        own.push(&compiler);
    }
    pip(&python, dir, &["install", "--upgrade"], &own).await?;
    // Python in the component is 3.14, whatever it is here. What is compiled for a machine cannot run there.
    let target = [
        "install",
        "--upgrade",
        "--no-compile",
        "--target",
        PACKAGES,
        "--only-binary=:all:",
        "--platform=any",
        "--implementation=py",
        "--abi=none",
        "--python-version=3.14",
    ];
    let own: Vec<_> = packages.iter().map(String::as_str).collect();
    // What is no dependency any more must not stay.
    std::fs::remove_dir_all(dir.join(PACKAGES)).ok();
    pip(&python, dir, &target, &own).await.context(python_packages::NOT_PURE)?;
    python_packages::check(&dir.join(".venv"), &dir.join(PACKAGES))
}

async fn pip(python: &Path, dir: &Path, arguments: &[&str], packages: &[&str]) -> anyhow::Result<()> {
    let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"];
    run(python, &[&pip, arguments, packages].concat(), dir).await
}

/// Finds the project's own componentize-py, else the one on `PATH`.
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
