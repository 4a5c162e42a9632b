//! The operating-system user a server runs as.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::StartError;

/// A user that is not root. Everything below the data folder is done as that user; a host that is root never writes
/// there, so nothing planted in it can turn root's hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

/// Who starts the server, and who runs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Users {
    /// The host's own user id.
    pub(super) host: u32,
    /// Another user for the server, where the host is root.
    pub(super) server: Option<Account>,
}

impl Users {
    /// The host's own user id.
    pub(super) async fn host() -> Result<u32, StartError> {
        id("-u", None).await?.ok_or(StartError::NoAccount)
    }

    /// Finds the server's user; the owner of `data`, where it exists, goes before every other choice.
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

    /// A command that runs as the server's user, with none of the host's environment: `PG…` variables would change
    /// what these programs do, and secrets have no business in a child.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        // The folder the host was started in may be closed to that user.
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(account) = self.server {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Whether the server's user can enter `dir`. Asked by trying, since access lists and mounts have a say too.
    pub(super) async fn can_enter(&self, dir: &Path) -> bool {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", "cd -- \"$1\"", "sh"]).arg(dir);
        command.output().await.is_ok_and(|done| done.status.success())
    }

    /// Hands `path` to the server's user.
    pub(super) fn give(&self, path: &Path) -> Result<(), StartError> {
        match self.server {
            Some(account) => lchown(path, Some(account.uid), Some(account.gid)).map_err(StartError::file(path)),
            None => Ok(()),
        }
    }
}

/// Asks `id`, because the standard library knows neither our own user nor others by name.
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
