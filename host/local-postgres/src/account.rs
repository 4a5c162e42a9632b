//! The operating-system user that runs the server.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::StartError;

/// A user that is not root. Everything in the data folder is done as that user. A host that is root never writes there,
/// because that user could plant links in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

/// The user who starts the server, and the user who runs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Users {
    /// The host's own user id.
    pub(super) host: u32,
    /// The server's user, if the host is root.
    pub(super) server: Option<Account>,
}

impl Users {
    /// The host's own user id.
    pub(super) async fn host() -> Result<u32, StartError> {
        id("-u", None).await?.ok_or(StartError::NoAccount)
    }

    /// Chooses the server's user. The owner of `data`, if it exists, is preferred.
    pub(super) async fn find(host: u32, data: &Path) -> Result<Self, StartError> {
        if host != 0 {
            return Ok(Self { host, server: None });
        }
        if let Ok(meta) = fs::symlink_metadata(data)
            && meta.uid() != 0
        {
            return Ok(Self { host, server: Some(Account { uid: meta.uid(), gid: meta.gid() }) });
        }
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id("-u", Some(name)).await?, id("-g", Some(name)).await?) {
                return Ok(Self { host, server: Some(Account { uid, gid }) });
            }
        }
        Err(StartError::NoAccount)
    }

    /// A command that runs as the server's user without the host's environment: `PG…` variables would change the
    /// programs' behaviour, and the host's secrets must not reach them.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        // That user may have no access to the host's working folder.
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(account) = self.server {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Whether the server's user can enter `dir`. It is tried, because access lists and mounts matter as well.
    pub(super) async fn can_enter(&self, dir: &Path) -> bool {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", "cd -- \"$1\"", "sh"]).arg(dir);
        command.output().await.is_ok_and(|done| done.status.success())
    }

    /// Makes the server's user the owner of `path`.
    pub(super) fn give(&self, path: &Path) -> Result<(), StartError> {
        match self.server {
            Some(account) => lchown(path, Some(account.uid), Some(account.gid)).map_err(StartError::file(path)),
            None => Ok(()),
        }
    }
}

/// Runs the program `id`, because the standard library offers neither the current user nor other users by name.
async fn id(flag: &str, name: Option<&str>) -> Result<Option<u32>, StartError> {
    let output = Command::new("id")
        .arg(flag)
        .args(name)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|source| StartError::Program { program: PathBuf::from("id"), source })?;
    let number = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    Ok(number.filter(|_| output.status.success()))
}
