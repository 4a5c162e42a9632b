//! Makes Postgres's programs runnable for the server's user.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::StartError;
use super::account::Users;
use super::binaries::Binaries;
use super::folder::{make_private, remove};

/// Postgres's programs, and the user who runs them.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    users: Users,
    binaries: Binaries,
}

impl Programs {
    /// Uses `found` in place if the server's user can run it, else copies it to `outside`.
    pub(super) async fn prepare(found: &Binaries, users: Users, outside: &Path) -> Result<Self, StartError> {
        let in_place = Self { users, binaries: found.clone() };
        if users.server.is_none() || in_place.can_run().await {
            return Ok(in_place);
        }
        make_private(outside, users.host, 0o711)?;
        let outside = outside.to_path_buf();
        let from = found.clone();
        let copied = tokio::task::spawn_blocking(move || copy(&from, &outside))
            .await
            .map_err(|failed| StartError::file(&found.bin_dir)(io::Error::other(failed)))??;
        Ok(Self { users, binaries: found.moved_to(copied) })
    }

    /// A command that runs one of the programs, with its output piped.
    pub(super) fn command(&self, name: &str) -> Command {
        self.users.command(&self.binaries.program(name))
    }

    /// For `map_err` on the run of such a command.
    pub(super) fn failed(&self, name: &str) -> impl FnOnce(io::Error) -> StartError {
        let program = self.binaries.program(name);
        move |source| StartError::Program { program, source }
    }

    /// The version, such as `16.14`.
    pub(super) fn version(&self) -> &str {
        &self.binaries.version
    }

    /// The major version.
    pub(super) fn major(&self) -> u32 {
        self.binaries.major
    }

    async fn can_run(&self) -> bool {
        self.command("postgres").arg("--version").output().await.is_ok_and(|done| done.status.success())
    }
}

/// Copies a relocatable Postgres and returns the folder of its programs. An earlier copy of the same files is used
/// again.
fn copy(from: &Binaries, outside: &Path) -> Result<PathBuf, StartError> {
    let fail = || StartError::file(&from.bin_dir);
    let made = fs::metadata(from.program("postgres")).map_err(fail())?;
    let to = outside.join(format!("programs-{}-{}-{}", from.version, made.ino(), made.mtime()));
    let prefix = from.bin_dir.parent().unwrap_or(&from.bin_dir);
    let name = prefix.file_name().unwrap_or_default();
    let bin_dir = to.join("pg").join(name).join("bin");
    if to.exists() {
        return Ok(bin_dir);
    }
    tracing::info!(to = %to.display(), "copying Postgres to where the user who runs it can reach it");
    for old in fs::read_dir(outside).into_iter().flatten().flatten() {
        if old.file_name().to_string_lossy().starts_with("programs-") {
            remove(&old.path()).map_err(StartError::file(&old.path()))?;
        }
    }
    let half = tempfile::Builder::new().prefix("programs-").tempdir_in(outside).map_err(StartError::file(outside))?;
    copy_tree(prefix, &half.path().join("pg").join(name)).map_err(fail())?;
    // Programs from a Python wheel find their libraries in `<package>.libs`, beside the package.
    let above = prefix.ancestors().nth(2).unwrap_or(prefix);
    for beside in fs::read_dir(above).map_err(fail())?.flatten() {
        if beside.path().extension().is_some_and(|end| end == "libs") {
            copy_tree(&beside.path(), &half.path().join(beside.file_name())).map_err(fail())?;
        }
    }
    fs::set_permissions(half.path(), Permissions::from_mode(0o755)).map_err(StartError::file(half.path()))?;
    fs::rename(half.path(), &to).map_err(StartError::file(&to))?;
    Ok(bin_dir)
}

/// Copies files and folders so that everybody may read them, whatever their permissions were.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let meta = fs::metadata(&source)?;
        if meta.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
            let mode = if meta.mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            fs::set_permissions(&target, Permissions::from_mode(mode))?;
        }
    }
    fs::set_permissions(to, Permissions::from_mode(0o755))
}
