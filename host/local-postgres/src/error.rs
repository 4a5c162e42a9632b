//! The errors of starting and stopping a local Postgres; each text says how to fix the cause.

use std::io;
use std::path::{Path, PathBuf};

/// Why a local Postgres did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another host uses this folder.
    #[error(
        "{dir} is in use by the host with process id {holder}. Stop that one, or give this one another state folder."
    )]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The other host's process id, or `unknown`.
        holder: String,
    },
    /// There is no usable Postgres on this machine.
    #[error(
        "no Postgres 15 or newer with pgvector was found ({looked}). Run ./dev, which fetches one, install \
         postgresql and its pgvector package, or set BEHALF_POSTGRES_BIN to the folder of such a Postgres's programs."
    )]
    NotFound {
        /// The folders that were tried, and why each is not usable.
        looked: String,
    },
    /// The folder of programs that the caller named is not usable.
    #[error(
        "the Postgres programs in {bin_dir} cannot be used: {reason}. Let BEHALF_POSTGRES_BIN name the bin folder of a Postgres 15 or newer with pgvector, or unset it."
    )]
    Unfit {
        /// The named folder.
        bin_dir: PathBuf,
        /// Why it is not usable.
        reason: String,
    },
    /// Another major version of Postgres made the cluster.
    #[error(
        "the database in {data} was made by Postgres {made_by}, but the programs are version {programs}. Use those of {made_by}, or remove {dir} to begin with an empty database."
    )]
    OtherVersion {
        /// The folder of the cluster.
        data: PathBuf,
        /// The folder to remove for a fresh start.
        dir: PathBuf,
        /// The major version that made the cluster.
        made_by: String,
        /// The version of the programs.
        programs: String,
    },
    /// The cluster's password is missing or wrong.
    #[error(
        "the database in {data} does not accept the password in {password} ({detail}). Put the right one back, or remove {dir} to begin with an empty database."
    )]
    Password {
        /// The folder of the cluster.
        data: PathBuf,
        /// The file of the password.
        password: PathBuf,
        /// The folder to remove for a fresh start.
        dir: PathBuf,
        /// The message of the server or the file system.
        detail: String,
    },
    /// A folder that must be private belongs to another user or is writable for others.
    #[error("{path} is not a private folder of user id {owner}. Look at who made it, then remove it.")]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// The user id that should own it.
        owner: u32,
    },
    /// The host is root, and there is no other user to run the server.
    #[error(
        "Postgres does not run as root, and there is neither a user postgres nor a user nobody. Add one, or start as an ordinary user."
    )]
    NoAccount,
    /// A file or a folder cannot be used.
    #[error("{path} cannot be used. Check that it is on a writable disk and belongs to the user who starts the host.")]
    File {
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A program cannot be run.
    #[error(
        "{program} cannot be run. Check that it is there and that this user may run it; a container's root that may not switch users has to start as an ordinary user."
    )]
    Program {
        /// The path of the program.
        program: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The cluster could not be made.
    #[error("the database could not be made. Fix what the last lines say, and start again:\n{output}")]
    Make {
        /// The last lines of the program's output.
        output: String,
    },
    /// A server of an earlier run does not stop.
    #[error(
        "the Postgres left from an earlier run (process id {pid}) does not stop. End that process, and start again:\n{output}"
    )]
    Leftover {
        /// The server's process id.
        pid: u32,
        /// The end of what was printed about it.
        output: String,
    },
    /// The server ended, or was not ready in time.
    #[error("Postgres did not start ({reason}). Fix what the end of {log} says, and start again:\n{tail}")]
    Server {
        /// Whether it ended or was late.
        reason: String,
        /// The server's log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
}

impl StartError {
    /// For `map_err` on an operation on the file `path`.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_path_buf(), source }
    }
}

/// Why a local Postgres did not stop.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The server still runs.
    #[error("Postgres (data in {data}) did not stop. End the process that postmaster.pid in there names:\n{output}")]
    StillRunning {
        /// The folder of the cluster.
        data: PathBuf,
        /// The end of what was printed about it.
        output: String,
    },
    /// The server stopped, but its files could not be removed.
    #[error("{path} could not be removed. Remove it by hand.")]
    Remove {
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}
