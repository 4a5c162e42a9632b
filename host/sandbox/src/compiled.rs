//! Native code of components, compiled once and kept on disk. The one door through which native code is loaded.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use behalf_problem::LogText as _;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine::code_config;
use crate::options::Compiler;

/// To be changed when the meaning of a file changes for a reason that the engine's own hash does not contain.
const FORMAT: &str = "1";

/// How long one component may compile; a Python runtime takes seven seconds here.
const COMPILE_TIMEOUT: Duration = Duration::from_mins(2);

/// Address space of the process that compiles; a Python runtime needs 360 MB of memory.
const COMPILE_MEMORY: u64 = 4 * 1024 * 1024 * 1024;

/// The largest file it may write; a Python runtime's has 70 MB.
const COMPILE_FILE: u64 = 1024 * 1024 * 1024;

/// Why a component has no native code.
#[derive(Debug, Error)]
pub enum CompileError {
    /// The compiler refused or failed.
    #[error("the component cannot be compiled: {0}")]
    Refused(String),
    /// It took too long.
    #[error("compiling took more than {} seconds; make the component smaller", COMPILE_TIMEOUT.as_secs())]
    TooLong,
    /// It took more memory than it may.
    #[error("compiling needs too much memory; make the component smaller")]
    TooLarge,
    /// The folder or the process failed.
    #[error("cannot store compiled code")]
    Store(#[from] std::io::Error),
}

/// The folder with compiled code. It is this user's alone: a program that writes there runs code in this process.
#[derive(Debug)]
pub(crate) struct CompiledCache {
    dir: PathBuf,
    engine_hash: String,
    one_at_a_time: Semaphore,
    /// What this process loaded or made.
    used: Mutex<HashSet<PathBuf>>,
}

impl CompiledCache {
    pub(crate) fn open(dir: &Path, engine: &Engine) -> std::io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let dir = dir.canonicalize()?;
        let meta = dir.metadata()?;
        let own = meta.uid() == std::fs::metadata("/proc/self")?.uid();
        if !own {
            return Err(std::io::Error::other("the folder belongs to another user"));
        }
        if meta.mode() & 0o077 != 0 {
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700))?;
        }
        // wasmtime itself compares major versions only; its hash has the full version and every setting.
        let mut hash = Sha256Hasher(Sha256::new_with_prefix(FORMAT));
        engine.precompile_compatibility_hash().hash(&mut hash);
        let engine_hash = hex::encode(&hash.0.finalize()[..8]);
        Ok(Self { dir, engine_hash, one_at_a_time: Semaphore::new(1), used: Mutex::default() })
    }

    fn path(&self, digest: [u8; 32]) -> PathBuf {
        self.dir.join(format!("{}-{}.cwasm", hex::encode(digest), self.engine_hash))
    }

    /// The component's native code: from disk where this engine compiled it before, else compiled now, one at a time.
    pub(crate) async fn compiled(
        &self,
        engine: &Engine,
        compiler: &Compiler,
        digest: [u8; 32],
        bytes: &[u8],
    ) -> Result<Component, CompileError> {
        let path = self.path(digest);
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        if let Some(component) = read_native(engine, &path).await {
            return Ok(component);
        }
        let _turn = self.one_at_a_time.acquire().await.map_err(std::io::Error::other)?;
        if let Some(component) = read_native(engine, &path).await {
            return Ok(component);
        }
        let code = match compiler {
            Compiler::Process(program) => compile_in_process(program, &self.dir, bytes).await?,
            Compiler::Here => {
                let bytes = bytes.to_vec();
                tokio::task::spawn_blocking(move || precompile(&bytes)).await.map_err(std::io::Error::other)??
            }
        };
        let (engine, dir) = (engine.clone(), self.dir.clone());
        let stored = tokio::task::spawn_blocking(move || store_native(&engine, &dir, &path, &code));
        stored.await.map_err(std::io::Error::other)?
    }
}

impl CompiledCache {
    /// Deletes code that this process did not use, and that no process loaded for so long.
    pub(crate) fn prune(&self, unused: Duration) -> std::io::Result<()> {
        for entry in self.dir.read_dir()? {
            let path = entry?.path();
            let is_used = self.used.lock().unwrap_or_else(PoisonError::into_inner).contains(&path);
            // Another process may have deleted it meanwhile.
            let Ok(age) = path.metadata().and_then(|meta| meta.modified()).map(|at| at.elapsed().unwrap_or_default())
            else {
                continue;
            };
            if path.extension().is_some_and(|ending| ending == "cwasm") && !is_used && age > unused {
                std::fs::remove_file(path).ok();
            }
        }
        Ok(())
    }
}

/// Feeds a hash of std's into SHA-256, which is the same in every process.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// Loads code that was compiled before, where there is some. Components are loaded while others are called, and a large one takes
/// a while, so no thread that serves requests does it.
async fn read_native(engine: &Engine, path: &Path) -> Option<Component> {
    let (engine, path) = (engine.clone(), path.to_owned());
    let read = tokio::task::spawn_blocking(move || {
        if !path.exists() {
            return None;
        }
        load_native(&engine, &path)
            .inspect_err(|error| {
                tracing::warn!(error = error.log_text(), "compiled code does not load; compiling again");
            })
            .inspect(|_| touch(&path))
            .ok()
    });
    read.await.ok().flatten()
}

/// Shows other processes that the code is in use.
fn touch(path: &Path) {
    if let Ok(file) = std::fs::File::open(path) {
        file.set_modified(SystemTime::now()).ok();
    }
}

/// Keeps compiled code, and loads it.
fn store_native(engine: &Engine, dir: &Path, path: &Path, code: &[u8]) -> Result<Component, CompileError> {
    // Written under another name first, so that a reader never sees half a file.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(code)?;
    file.persist(path).map_err(|error| error.error)?;
    load_native(engine, path).map_err(|error| {
        // Every later call would find the same useless file.
        std::fs::remove_file(path).ok();
        CompileError::Refused(error.root_cause().to_string().chars().take(300).collect())
    })
}

#[expect(
    unsafe_code,
    reason = "the one door for native code: a file in a folder of ours alone, written by `CompiledCache::compiled` alone"
)]
fn load_native(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: only this user can write to the folder (`CompiledCache::open`), and only `store_native` does, with what
    // wasmtime's own compiler returned; uploads are WebAssembly and never take this way.
    unsafe { Component::deserialize_file(engine, path) }
}

fn precompile(bytes: &[u8]) -> Result<Vec<u8>, CompileError> {
    let engine = Engine::new(&code_config()).map_err(|error| CompileError::Refused(format!("{error:#}")))?;
    engine.precompile_component(bytes).map_err(|error| CompileError::Refused(format!("{error:#}")))
}

/// Does the work of `behalf compile IN OUT`: limits its own process, then compiles.
pub fn compile_file(input: &Path, output: &Path) -> Result<(), CompileError> {
    rlimit::setrlimit(rlimit::Resource::AS, COMPILE_MEMORY, COMPILE_MEMORY)?;
    let cpu = COMPILE_TIMEOUT.as_secs() * 2;
    rlimit::setrlimit(rlimit::Resource::CPU, cpu, cpu)?;
    rlimit::setrlimit(rlimit::Resource::FSIZE, COMPILE_FILE, COMPILE_FILE)?;
    std::fs::write(output, precompile(&std::fs::read(input)?)?)?;
    Ok(())
}

async fn compile_in_process(program: &Path, dir: &Path, bytes: &[u8]) -> Result<Vec<u8>, CompileError> {
    let work = tempfile::tempdir_in(dir)?;
    let (input, output) = (work.path().join("in.wasm"), work.path().join("out.cwasm"));
    tokio::fs::write(&input, bytes).await?;
    let child = tokio::process::Command::new(program)
        .arg("compile")
        .args([&input, &output])
        .env_clear()
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let done =
        tokio::time::timeout(COMPILE_TIMEOUT, child.wait_with_output()).await.map_err(|_| CompileError::TooLong)??;
    if done.status.success() {
        return Ok(tokio::fs::read(&output).await?);
    }
    // A process that its own limit stopped has no useful message.
    if done.status.code().is_none() {
        return Err(CompileError::TooLarge);
    }
    let message = String::from_utf8_lossy(&done.stderr);
    let message = message.lines().last().unwrap_or("the compiler failed");
    Err(CompileError::Refused(message.chars().take(500).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_nobody_loaded_for_long_goes_and_what_this_process_uses_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::new(&code_config()).expect("an engine");
        let cache = CompiledCache::open(folder.path(), &engine).expect("a cache");
        let file = |name: PathBuf, age: Duration| {
            let file = std::fs::File::create(&name).expect("it is written");
            file.set_modified(SystemTime::now() - age).expect("it is ours");
            name
        };
        let (used, days) = (cache.path([1; 32]), |days: u64| Duration::from_hours(24 * days));
        cache.used.lock().expect("nobody panicked").insert(used.clone());
        let used = file(used, days(90));
        let unused = file(cache.path([2; 32]), days(31));
        let young = file(cache.path([3; 32]), days(29));
        let other = file(folder.path().join("notes.txt"), days(90));
        cache.prune(days(30)).expect("pruned");
        assert_eq!([used, unused, young.clone(), other].map(|path| path.exists()), [true, false, true, true]);
        // Loading code shows other processes that it is in use.
        touch(&young);
        cache.prune(days(1)).expect("pruned");
        assert!(young.exists());
    }
}
