//! A lock, so that only one host uses a folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::StartError;

/// The lock of a folder. The open file holds it, so the operating system releases it however the host ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of `dir`. The error names the process that has it.
    pub(super) fn take(dir: &Path) -> Result<Self, StartError> {
        let path = dir.join("lock");
        let fail = || StartError::file(&path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StartError::InUse { dir: dir.to_path_buf(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(fail()(source)),
        }
        file.set_len(0).map_err(fail())?;
        file.rewind().map_err(fail())?;
        writeln!(file, "{}", std::process::id()).map_err(fail())?;
        Ok(Self { _file: file })
    }
}

/// The process id that the holder wrote, for the error text only. A holder that has just taken the lock may not have
/// written it yet.
fn holder(file: &mut File) -> String {
    let mut written = String::new();
    for _ in 0..20 {
        if file.read_to_string(&mut written).is_err() || !written.trim().is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Some(written.trim()).filter(|pid| !pid.is_empty()).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_take_a_folder_is_told_who_has_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let first = FolderLock::take(dir.path()).expect("the first takes it");
        let refused = FolderLock::take(dir.path()).expect_err("the second is refused").to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        FolderLock::take(dir.path()).expect("free again");
    }
}
