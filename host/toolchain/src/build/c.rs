//! C: clang compiles to a core module.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use behalf_config::environment;

use super::program::{on_path, run};
use crate::project::Project;

/// Suffixes of clang's name, tried in this order; `-flto` needs a linker of the compiler's own version.
const VERSIONS: [&str; 9] = ["-19", "-21", "-20", "-18", "-17", "-16", "-15", "-14", ""];
/// The README of the SDK says why each is there.
const FLAGS: [&str; 13] = [
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-std=gnu17",
    "-Oz",
    "-flto",
    "-DNDEBUG",
    "-Wall",
    "-Wextra",
    "-Wl,--gc-sections",
    "-Wl,--strip-debug",
    "-Wl,--stack-first",
    "-Wl,-z,stack-size=131072",
    "-lc-printscan-long-double",
];
const MISSING: &str = "clang for WebAssembly is missing; Debian and Ubuntu: apt-get install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32; elsewhere install the wasi-sdk and set WASI_SDK_PATH";

/// Compiles to a core module, which becomes a component when it is read, and returns its path.
pub(super) async fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let dir = &project.dir;
    let clang = Clang::find().context(MISSING)?;
    let out = dir.join("build").join(format!("{}.core.wasm", project.manifest.name));
    std::fs::create_dir_all(dir.join("build")).with_context(|| format!("cannot write to {}", dir.display()))?;
    let (sdk, _) = project.sdk()?;
    let mut arguments = FLAGS.map(str::to_owned).to_vec();
    arguments.push(format!("-I{}", sdk.display()));
    arguments.extend(clang.linker.map(|linker| format!("-fuse-ld={}", linker.display())));
    for source in sources(project)? {
        arguments.push(source.display().to_string());
    }
    let (own, bindings) = (files(&sdk.join("src"), &["c"])?, files(&sdk.join("bindings"), &["c", "o"])?);
    // A project that was made by an older `behalf tool new` has an SDK without HTTP.
    let http = sdk.join("http");
    let http = if http.is_dir() { files(&http, &["c", "o"])? } else { Vec::new() };
    for file in [own, bindings, http].concat() {
        arguments.push(file.display().to_string());
    }
    arguments.extend(["-o".to_owned(), out.display().to_string()]);
    run(&clang.program, &arguments, dir).await?;
    Ok(out)
}

/// Fetches nothing: the compiler belongs to the system.
pub(super) fn install() -> anyhow::Result<()> {
    Clang::find().map(drop).context(MISSING)
}

struct Clang {
    program: PathBuf,
    linker: Option<PathBuf>,
}

impl Clang {
    /// Finds the wasi-sdk's compiler, which knows its linker, else the system's with a linker of its version.
    fn find() -> Option<Self> {
        if let Some(sdk) = environment("WASI_SDK_PATH") {
            let program = Path::new(&sdk).join("bin/clang");
            return program.is_file().then_some(Self { program, linker: None });
        }
        VERSIONS.into_iter().find_map(|version| {
            let program = on_path(&format!("clang{version}"))?;
            Some(Self { program, linker: Some(on_path(&format!("wasm-ld{version}"))?) })
        })
    }
}

fn sources(project: &Project) -> anyhow::Result<Vec<PathBuf>> {
    let named = &project.manifest.build.sources;
    let sources = if named.is_empty() { files(&project.dir.join("src"), &["c"])? } else { named.clone() };
    if sources.is_empty() {
        bail!("there are no C files in src; name them in plugin.toml: [build] sources = [\"….c\"]");
    }
    Ok(sources)
}

/// Files of a folder with one of these endings, sorted.
fn files(dir: &Path, endings: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)));
    files.sort();
    Ok(files)
}
