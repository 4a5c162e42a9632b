//! Private folders, and short files in them.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::StartError;

/// Makes the folder `path`, or accepts an existing one to which only `owner` may write. In a folder to which everybody
/// may write, such as `/var/tmp`, another user may have made it first.
pub(super) fn make_private(path: &Path, owner: u32, mode: u32) -> Result<(), StartError> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let meta = fs::symlink_metadata(path).map_err(StartError::file(path))?;
            if !meta.is_dir() || meta.uid() != owner || meta.mode() & 0o022 != 0 {
                return Err(StartError::NotPrivate { path: path.to_path_buf(), owner });
            }
        }
        Err(source) => return Err(StartError::file(path)(source)),
    }
    // The server's user may need permissions that this process's umask removed.
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(StartError::file(path))
}

/// The name of the folder outside the state folder `dir` that belongs to it: always the same, and unique to `dir`.
pub(super) fn private_name(dir: &Path) -> String {
    let digest = Sha256::digest(dir.as_os_str().as_bytes());
    format!("behalf-{}", hex::encode(&digest[..8]))
}

/// The parent of folders outside the state folder. For root it is one whose old files are not cleaned up.
pub(super) fn private_base(host: u32) -> PathBuf {
    let lasting = Path::new("/var/lib");
    if host == 0 && tempfile::Builder::new().prefix(".behalf-").tempdir_in(lasting).is_ok() {
        return lasting.to_path_buf();
    }
    PathBuf::from("/var/tmp")
}

/// Writes a short file that only this user may read. It is written atomically.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<(), StartError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(StartError::file(path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(StartError::file(path))?;
    file.persist(path).map_err(|error| StartError::file(path)(error.error))?;
    Ok(())
}

/// The content of a short file; `None` if it is missing or empty.
pub(super) fn read_short(path: &Path) -> Result<Option<String>, StartError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StartError::file(path)(source)),
    }
}

/// Removes a file or a whole folder, if it exists.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_others_can_write_to_is_refused() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let owner = fs::metadata(base.path()).expect("its owner").uid();
        let path = base.path().join("private");
        make_private(&path, owner, 0o700).expect("made");
        make_private(&path, owner, 0o700).expect("taken again");
        assert!(matches!(make_private(&path, owner + 1, 0o700), Err(StartError::NotPrivate { .. })));
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("opened");
        assert!(matches!(make_private(&path, owner, 0o700), Err(StartError::NotPrivate { .. })));
    }

    #[test]
    fn a_link_in_place_of_a_folder_is_refused() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let owner = fs::metadata(base.path()).expect("its owner").uid();
        let path = base.path().join("private");
        std::os::unix::fs::symlink(base.path(), &path).expect("linked");
        assert!(matches!(make_private(&path, owner, 0o700), Err(StartError::NotPrivate { .. })));
    }
}
