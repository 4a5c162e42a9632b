//! The files that were named, and those in the folders that were named.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Files in the order in which they are uploaded. A folder gives its files by name, those of folders in it included; names that begin
/// with a dot and links are left out there.
pub(super) fn files(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        let cannot = || format!("{} cannot be read; check the path and its rights", path.display());
        if fs::metadata(path).with_context(cannot)?.is_dir() {
            walk(path, &mut files).with_context(cannot)?;
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// Adds what a folder holds. It is read one level at a time, so a deep one takes no stack.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut inner = Vec::new();
        for entry in entries {
            let kind = entry.file_type()?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_dir() {
                inner.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
        folders.extend(inner.into_iter().rev());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_files_and_no_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["b/c", ".hidden"] {
            fs::create_dir_all(at(name)).expect("a folder");
        }
        for name in ["z.txt", "a.txt", "b/1.txt", "b/c/2.txt", "b/.3.txt", ".hidden/4.txt"] {
            fs::write(at(name), name).expect("a file");
        }
        std::os::unix::fs::symlink(folder.path(), at("b/loop")).expect("a link");
        std::os::unix::fs::symlink(at("a.txt"), at("link.txt")).expect("a link");
        let found = files(&[folder.path().to_owned(), at("link.txt")]).expect("files");
        let wanted = ["a.txt", "z.txt", "b/1.txt", "b/c/2.txt", "link.txt"].map(at);
        assert_eq!(found, wanted);
        assert!(files(&[at("none.txt")]).is_err());
    }
}
