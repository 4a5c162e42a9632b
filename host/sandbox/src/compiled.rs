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

/// After how long a half-made file was left by a process that was killed.
const ABANDONED: Duration = Duration::from_hours(1);

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
    /// Bytes that all code in the folder may have together. The code that was just made is kept in any case.
    max_bytes: u64,
    one_at_a_time: Semaphore,
    /// What this process loaded or made.
    used: Mutex<HashSet<PathBuf>>,
}

impl CompiledCache {
    pub(crate) fn open(dir: &Path, engine: &Engine, max_bytes: u64) -> std::io::Result<Self> {
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
        Ok(Self { dir, engine_hash, max_bytes, one_at_a_time: Semaphore::new(1), used: Mutex::default() })
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
        let max_bytes = self.max_bytes;
        let stored = tokio::task::spawn_blocking(move || {
            let component = store_native(&engine, &dir, &path, &code)?;
            // A folder that cannot be read now is tried again at the next prune.
            shrink(&dir, max_bytes, &|kept| kept == path).ok();
            Ok::<_, CompileError>(component)
        });
        stored.await.map_err(std::io::Error::other)?
    }

    /// Deletes code that this process did not use and that no process loaded for so long, then what was not loaded for longest
    /// where the folder is still too large. Code that is loaded stays so: it only has to be compiled again for the next process.
    pub(crate) fn prune(&self, unused: Option<Duration>) -> std::io::Result<()> {
        let is_used = |path: &Path| self.used.lock().unwrap_or_else(PoisonError::into_inner).contains(path);
        for entry in self.dir.read_dir()? {
            let path = entry?.path();
            let is_code = path.extension().is_some_and(|ending| ending == "cwasm");
            let kept = if is_code { unused } else { is_half_made(&path).then_some(ABANDONED) };
            // Another process may have deleted it meanwhile.
            let (Some(kept), Some(age)) = (kept, age(&path)) else { continue };
            if age > kept && !is_used(&path) {
                std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path)).ok();
            }
        }
        shrink(&self.dir, self.max_bytes, &is_used)
    }
}

/// Deletes the code that was not loaded for longest until the rest has at most so many bytes; what is `used` goes last.
fn shrink(dir: &Path, max_bytes: u64, is_used: &dyn Fn(&Path) -> bool) -> std::io::Result<()> {
    let mut all = Vec::new();
    for entry in dir.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "cwasm") {
            let (Ok(meta), Some(age)) = (path.metadata(), age(&path)) else { continue };
            all.push((!is_used(&path), age, meta.len(), path));
        }
    }
    all.sort();
    let mut bytes: u64 = 0;
    for (place, (_, _, size, path)) in all.into_iter().enumerate() {
        bytes = bytes.saturating_add(size);
        if bytes > max_bytes && place > 0 {
            std::fs::remove_file(path).ok();
        }
    }
    Ok(())
}

/// How long ago a file was written, or loaded.
fn age(path: &Path) -> Option<Duration> {
    path.metadata().and_then(|meta| meta.modified()).ok().map(|at| at.elapsed().unwrap_or_default())
}

/// Whether a name is one of those that the crate tempfile gives.
fn is_half_made(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".tmp"))
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
        let cache = CompiledCache::open(folder.path(), &engine, u64::MAX).expect("a cache");
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
        let (left, begun) = (file(folder.path().join(".tmpA"), days(1)), file(folder.path().join(".tmpB"), days(0)));
        cache.prune(Some(days(30))).expect("pruned");
        assert_eq!([used, unused, young.clone(), other].map(|path| path.exists()), [true, false, true, true]);
        assert_eq!([left, begun].map(|path| path.exists()), [false, true], "half-made files");
        // Loading code shows other processes that it is in use.
        touch(&young);
        cache.prune(Some(days(1))).expect("pruned");
        assert!(young.exists());
    }

    #[test]
    fn code_that_was_not_loaded_for_longest_goes_where_there_is_too_much() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::new(&code_config()).expect("an engine");
        let cache = CompiledCache::open(folder.path(), &engine, 25).expect("a cache");
        let file = |number: u8, age: u64| {
            let path = cache.path([number; 32]);
            std::fs::write(&path, [0; 10]).expect("it is written");
            let file = std::fs::File::open(&path).expect("it is there");
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("it is ours");
            path
        };
        let paths = [file(1, 300), file(2, 200), file(3, 100), file(4, 0)];
        let used = cache.path([1; 32]);
        cache.used.lock().expect("nobody panicked").insert(used);
        let there = || [0, 1, 2, 3].map(|place: usize| paths[place].exists());
        cache.prune(None).expect("pruned");
        assert_eq!(there(), [true, false, false, true], "the used one, and the one that was loaded last");
        // What was just made stays, even where it alone is too large.
        shrink(folder.path(), 5, &|path| path == paths[3]).expect("shrunk");
        assert_eq!(there(), [false, false, false, true]);
    }
}
