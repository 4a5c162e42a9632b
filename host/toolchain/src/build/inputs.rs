//! What a build is made of: the files of a project, by their content.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::whole_file::{PUBLIC, replace_file};

/// Folders of a project whose files come from builds.
const OUTPUT: [&str; 4] = ["target", "dist", "build", ".behalf"];
/// Folders that tools make for themselves, wherever they lie.
const TOOLS: [&str; 4] = ["node_modules", ".venv", ".git", "__pycache__"];
/// How names end of files that editors keep for a while, and of those that a build itself writes.
const PASSING: [&str; 6] = [".lock", "~", ".swp", ".swx", ".tmp", ".orig"];
/// Vim makes a file of this name to see whether it may.
const TRIED: &str = "4913";

/// The hash of a project's files: their paths and their content. Who reads or touches a file does not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inputs([u8; 32]);

impl Inputs {
    /// Reads the files of a folder.
    pub(super) async fn read(dir: &Path) -> anyhow::Result<Self> {
        let dir = dir.to_owned();
        let shown = dir.display().to_string();
        let read = tokio::task::spawn_blocking(move || Self::of(&dir)).await?;
        read.with_context(|| format!("cannot read the files of {shown}"))
    }

    /// Reads the files of several folders, which together with a text are all that a component is made of.
    pub(super) async fn of_component(dirs: &[&Path], more: &str) -> anyhow::Result<Self> {
        let mut hash = Sha256::new_with_prefix(more);
        for dir in dirs {
            hash.update(Self::read(dir).await?.0);
        }
        Ok(Self(hash.finalize().into()))
    }

    /// Whether an output was made of these. A note beside the output says of what it was made.
    pub(super) fn made(&self, output: &Path) -> bool {
        output.is_file() && std::fs::read_to_string(note_of(output)).is_ok_and(|noted| noted == hex::encode(self.0))
    }

    /// Begins to make an output of something else: a build that is stopped leaves half of one.
    pub(super) fn forget(output: &Path) {
        std::fs::remove_file(note_of(output)).ok();
    }

    /// Notes that an output was made of these.
    pub(super) fn note(&self, output: &Path) -> anyhow::Result<()> {
        replace_file(&note_of(output), hex::encode(self.0).as_bytes(), PUBLIC)
    }

    fn of(dir: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        collect(dir, dir, &mut files)?;
        files.sort();
        let mut hash = Sha256::new();
        for file in files {
            // Between the list and now it may have gone, as files of editors do.
            let Ok(content) = std::fs::read(&file) else { continue };
            let path = file.strip_prefix(dir).unwrap_or(&file).as_os_str().as_encoded_bytes();
            for part in [path, content.as_slice()] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        Ok(Self(hash.finalize().into()))
    }
}

fn note_of(output: &Path) -> PathBuf {
    output.with_extension("inputs")
}

/// Whether a path in a project can be one of a build's inputs.
pub(super) fn is_input(project: &Path, path: &Path) -> bool {
    let inside = path.strip_prefix(project).unwrap_or(path);
    let mut folders = inside.components().map(|part| part.as_os_str().to_string_lossy());
    if folders.clone().next().is_some_and(|first| OUTPUT.contains(&first.as_ref())) {
        return false;
    }
    let name = inside.file_name().unwrap_or_default().to_string_lossy();
    let is_passing = name == TRIED || name.starts_with(".#") || PASSING.iter().any(|ending| name.ends_with(ending));
    !is_passing && folders.all(|folder| !TOOLS.contains(&folder.as_ref()))
}

fn collect(project: &Path, dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        // It was deleted meanwhile.
        Err(error) if dir != project && error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if !is_input(project, &path) {
            continue;
        }
        // A link to a folder is not followed: it may lead back.
        if entry.file_type()?.is_dir() {
            collect(project, &path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    #[test]
    fn content_counts_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |path: &str| dir.path().join(path);
        let inputs = || Inputs::of(dir.path()).expect("readable");
        write(&at("src/lib.rs"), "one");
        write(&at("plugin.toml"), "name");
        let first = inputs();
        // To read a file, to touch it and to write the same again.
        std::fs::read(at("src/lib.rs")).expect("a file");
        std::fs::File::open(at("src/lib.rs")).and_then(|file| file.set_modified(std::time::UNIX_EPOCH)).expect("ours");
        write(&at("plugin.toml"), "name");
        // What builds and editors write.
        for output in ["target/a.wasm", "dist/p.wasm", "node_modules/a/b.js", "src/__pycache__/a.pyc", ".git/HEAD"] {
            write(&at(output), "output");
        }
        for passing in ["Cargo.lock", "src/lib.rs~", "src/.lib.rs.swp", "src/4913", "src/.#lib.rs"] {
            write(&at(passing), "for a while");
        }
        assert_eq!(inputs(), first);
        let mut seen = vec![first];
        for (path, text) in [
            ("src/lib.rs", "two"),
            ("fixture.sql", ""),
            ("src/build/mod.rs", "a module"),
            ("vendor/behalf-sdk/src/lib.rs", "sdk"),
        ] {
            write(&at(path), text);
            assert!(!seen.contains(&inputs()), "{path}");
            seen.push(inputs());
        }
        std::fs::rename(at("fixture.sql"), at("rows.sql")).expect("ours");
        assert!(!seen.contains(&inputs()), "a file with another name");
        std::fs::remove_file(at("rows.sql")).expect("ours");
        for folder in ["vendor", "src/build"] {
            std::fs::remove_dir_all(at(folder)).expect("ours");
        }
        write(&at("src/lib.rs"), "one");
        assert_eq!(inputs(), first, "all as before");
    }

    #[tokio::test]
    async fn an_output_is_known_by_what_it_was_made_of() {
        let dir = tempfile::tempdir().expect("a folder");
        let (sources, output) = (dir.path().join("src"), dir.path().join("one.wasm"));
        write(&sources.join("one.py"), "one");
        let inputs = async |more: &str| Inputs::of_component(&[&sources], more).await.expect("readable");
        let first = inputs("grants").await;
        first.note(&output).expect("a note");
        assert!(!first.made(&output), "there is no output");
        write(&output, "component");
        assert!(first.made(&output) && inputs("grants").await.made(&output));
        assert!(!inputs("other grants").await.made(&output));
        write(&sources.join("one.py"), "two");
        assert!(!inputs("grants").await.made(&output));
        write(&sources.join("one.py"), "one");
        Inputs::forget(&output);
        assert!(!first.made(&output), "another build had begun");
    }
}
