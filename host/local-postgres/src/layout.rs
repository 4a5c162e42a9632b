//! The files and folders of a local Postgres.

use std::fs;
use std::path::{Path, PathBuf};

use super::StartError;
use super::account::Users;
use super::folder::{make_private, private_base, private_name, read_short, remove, write_whole};
use super::log::ServerLog;

/// Longest folder of a socket; the operating system limits a socket's whole path to about a hundred bytes.
const LONGEST_SOCKET_DIR: usize = 80;

/// The folders of a local Postgres, and their users.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) users: Users,
    /// The state folder that the caller named.
    pub(super) dir: PathBuf,
    /// The folder that contains the cluster: `dir` or `outside`.
    keep: PathBuf,
    /// A folder elsewhere that belongs to `dir`, for files that cannot be in it.
    pub(super) outside: PathBuf,
}

impl Layout {
    /// Chooses the folders for the state folder `dir`, which must be locked.
    pub(super) async fn choose(dir: &Path) -> Result<Self, StartError> {
        let host = Users::host().await?;
        let outside = private_base(host).join(private_name(dir));
        let is_outside = match read_short(&dir.join("place"))?.map(PathBuf::from) {
            Some(recorded) if recorded != outside => {
                tracing::warn!(left_in = %recorded.display(), "this state folder was moved or copied; its database stays behind");
                false
            }
            recorded => recorded.is_some(),
        };
        let keep = if is_outside { outside.clone() } else { dir.to_path_buf() };
        let users = Users::find(host, &keep.join("data")).await?;
        let layout = Self { users, dir: dir.to_path_buf(), keep, outside: outside.clone() };
        if is_outside {
            make_private(&outside, host, 0o711)?;
        }
        if is_outside || users.server.is_none() || users.can_enter(dir).await {
            return Ok(layout);
        }
        make_private(&outside, host, 0o711)?;
        Ok(Self { keep: outside, ..layout })
    }

    /// Whether there is a cluster outside whose state folder was removed. Then the user wants an empty database.
    pub(super) fn is_leftover(&self) -> bool {
        self.is_outside() && !self.dir.join("place").exists() && self.data().exists()
    }

    /// Removes such a cluster. Its server must have stopped.
    pub(super) fn remove_leftover(&self) -> Result<(), StartError> {
        remove(&self.data()).map_err(StartError::file(&self.data()))
    }

    /// Records in the state folder where the cluster is. A cluster that was in the state folder until now is moved.
    pub(super) fn record(&self) -> Result<(), StartError> {
        if !self.is_outside() {
            return Ok(());
        }
        let inside = self.dir.join("data");
        if inside.exists() && !self.data().exists() {
            fs::rename(&inside, self.data()).map_err(StartError::file(&inside))?;
        }
        write_whole(&self.dir.join("place"), &format!("{}\n", self.keep.display()))
    }

    fn is_outside(&self) -> bool {
        self.keep == self.outside
    }

    /// The folder that contains `data`.
    pub(super) fn keep(&self) -> &Path {
        &self.keep
    }

    /// The folder of the cluster.
    pub(super) fn data(&self) -> PathBuf {
        self.keep.join("data")
    }

    /// The file with the owner role's password.
    pub(super) fn password(&self) -> PathBuf {
        self.dir.join("password")
    }

    /// The file with the port of the last start.
    pub(super) fn port(&self) -> PathBuf {
        self.dir.join("port")
    }

    /// The file with the version and settings of the last start.
    pub(super) fn settings(&self) -> PathBuf {
        self.dir.join("settings")
    }

    /// The server's log.
    pub(super) fn log(&self) -> ServerLog {
        ServerLog::in_dir(&self.dir)
    }

    /// The folder of the server's socket.
    pub(super) fn socket_dir(&self) -> PathBuf {
        let beside = self.keep.join("socket");
        if beside.as_os_str().len() <= LONGEST_SOCKET_DIR { beside } else { self.outside.join("socket") }
    }

    /// Makes the folder of the server's socket.
    pub(super) fn make_socket_dir(&self) -> Result<PathBuf, StartError> {
        let socket = self.socket_dir();
        if socket.parent() != Some(self.keep.as_path()) {
            make_private(&self.outside, self.users.host, 0o711)?;
        }
        // It is made again each time, because its owner, the server's user, may have changed.
        remove(&socket).map_err(StartError::file(&socket))?;
        make_private(&socket, self.users.host, 0o700)?;
        self.users.give(&socket)?;
        Ok(socket)
    }

    /// Removes all folders.
    pub(super) fn remove_all(&self) -> Result<(), (PathBuf, std::io::Error)> {
        for path in [&self.outside, &self.dir] {
            remove(path).map_err(|error| (path.clone(), error))?;
        }
        Ok(())
    }
}
