//! Compilers that take a snapshot of a running interpreter, without what differs from run to run: time and chance.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use behalf_config::environment;

use super::program::run_with;

/// The library that `build.rs` makes of `steady.c`; empty where there is none for the system.
const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/steady.so"));

/// Runs a program in a folder, as `program::run` does, with clocks that stand still and the same random bytes each time. On other
/// systems than Linux the program runs as it is, and its snapshots differ.
pub(super) async fn run_steadily<A: AsRef<OsStr>>(program: &Path, arguments: &[A], dir: &Path) -> anyhow::Result<()> {
    let folder = if LIBRARY.is_empty() { None } else { folder(dir) };
    let Some(folder) = folder else { return run_with(program, arguments, dir, None).await };
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

/// Where the library can be loaded from: in the project, because folders for temporary files often forbid to run what is in them.
/// The loader takes a space and a colon for the end of a name.
fn folder(dir: &Path) -> Option<PathBuf> {
    let is_one_name = |path: &PathBuf| !path.as_os_str().as_encoded_bytes().iter().any(|byte| b" :".contains(byte));
    [dir.join("build"), std::env::temp_dir()].into_iter().find(is_one_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_the_loader_cannot_name_is_left_for_another() {
        assert_eq!(folder(Path::new("/home/a/tool")), Some("/home/a/tool/build".into()));
        for dir in ["/home/a b/tool", "/home/a:b/tool"] {
            assert_eq!(folder(Path::new(dir)), Some(std::env::temp_dir()));
        }
    }
}
