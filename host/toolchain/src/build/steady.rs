//! Compilers that take a snapshot of a running interpreter, without what differs from run to run: time and chance.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use behalf_config::environment;

use super::program::run_with;

/// The library that `build.rs` makes of `steady.c`; empty where there is none for the system.
const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/steady.so"));

/// Runs a program in a folder, as `program::run` does, with clocks that stand still and the same random bytes each time. On other
/// systems than Linux the program runs as it is, and its snapshots differ.
pub(super) async fn run_steadily<A: AsRef<OsStr>>(program: &Path, arguments: &[A], dir: &Path) -> anyhow::Result<()> {
    let [_, ..] = LIBRARY else { return run_with(program, arguments, dir, None).await };
    // In the project, where code may be loaded from; folders for temporary files often forbid it.
    let folder = dir.join("build");
    let cannot = || format!("cannot write to {}", folder.display());
    std::fs::create_dir_all(&folder).with_context(cannot)?;
    let mut library = tempfile::Builder::new().suffix(".so").tempfile_in(&folder).with_context(cannot)?;
    library.write_all(LIBRARY).with_context(cannot)?;
    let path = library.into_temp_path();
    let mut loaded = path.as_os_str().to_owned();
    if let Some(others) = environment("LD_PRELOAD") {
        loaded.push(":");
        loaded.push(others);
    }
    run_with(program, arguments, dir, Some(("LD_PRELOAD", loaded.as_os_str()))).await
}
