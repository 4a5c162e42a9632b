//! Writing a file whole or not at all.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};

/// The mode of a file that everybody may read.
pub(crate) const PUBLIC: u32 = 0o644;
/// The mode of a file for its owner alone.
pub(crate) const PRIVATE: u32 = 0o600;

/// Writes a file whole or not at all, in place of the one that is there.
pub(crate) fn replace_file(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    write(path, bytes, mode, true)
}

/// Writes a file whole or not at all, and fails where one is there already.
pub(crate) fn create_file(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    write(path, bytes, mode, false)
}

fn write(path: &Path, bytes: &[u8], mode: u32, replace: bool) -> anyhow::Result<()> {
    let shown = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("cannot write {shown}");
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    file.write_all(bytes).with_context(cannot)?;
    file.as_file().set_permissions(Permissions::from_mode(mode)).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    let written = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    match written {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{shown} is there already; give --force to replace it, or -o FILE to write elsewhere")
        }
        Err(error) => Err(error.error).with_context(cannot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_replaced_only_on_request() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file");
        create_file(&path, b"one", PUBLIC).expect("a new file");
        assert!(create_file(&path, b"two", PUBLIC).is_err());
        assert_eq!(std::fs::read(&path).expect("a file"), b"one");
        replace_file(&path, b"two", PRIVATE).expect("another content");
        assert_eq!(std::fs::read(&path).expect("a file"), b"two");
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE);
    }
}
