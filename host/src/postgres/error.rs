//! Why a local Postgres did not start or stop, and how to mend it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a local Postgres did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another host has this folder.
    #[error(
        "{dir} is in use by the host with process id {holder}. Stop that one, or give this one another state folder."
    )]
    InUse {
        /// The folder both want.
        dir: PathBuf,
        /// The other's process id, or a word where it could not be read.
        holder: String,
    },
    /// No fitting Postgres on this machine.
    #[error(
        "no Postgres 15 or newer with pgvector was found ({looked}). Run ./dev, which fetches one, install \
         postgresql and its pgvector package, or set BEHALF_POSTGRES_BIN to the folder of such a Postgres's programs."
    )]
    NotFound {
        /// What was looked at, and why it would not do.
        looked: String,
    },
    /// The folder of programs that the caller named will not do.
    #[error(
        "the Postgres programs in {bin_dir} cannot be used: {reason}. Let BEHALF_POSTGRES_BIN name the bin folder of a Postgres 15 or newer with pgvector, or unset it."
    )]
    Unfit {
        /// The folder named.
        bin_dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster was made by another major version.
    #[error(
        "the database in {data} was made by Postgres {made_by}, but the programs are version {programs}. Use those of {made_by}, or remove {dir} to begin with an empty database."
    )]
    OtherVersion {
        /// Where the cluster is.
        data: PathBuf,
        /// The folder to remove for a fresh start.
        dir: PathBuf,
        /// The major version that made it.
        made_by: String,
        /// The version of the programs found.
        programs: String,
    },
    /// There is a cluster, but not its password, or not the right one.
    #[error(
        "the database in {data} does not accept the password in {password} ({detail}). Put the right one back, or remove {dir} to begin with an empty database."
    )]
    Password {
        /// Where the cluster is.
        data: PathBuf,
        /// Where its password should be.
        password: PathBuf,
        /// The folder to remove for a fresh start.
        dir: PathBuf,
        /// What the server or the file system said.
        detail: String,
    },
    /// A folder that must be ours alone belongs to someone else or is open to others.
    #[error("{path} is not a private folder of user id {owner}. Look at who made it, then remove it.")]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// Whose it should be.
        owner: u32,
    },
    /// Root, and no other user to run the server as.
    #[error(
        "Postgres does not run as root, and there is neither a user postgres nor a user nobody. Add one, or start as an ordinary user."
    )]
    NoAccount,
    /// A file or folder could not be used.
    #[error("{path} cannot be used. Check that it is on a writable disk and belongs to the user who starts the host.")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be run.
    #[error(
        "{program} cannot be run. Check that it is there and that this user may run it; a container's root that may not switch users has to start as an ordinary user."
    )]
    Program {
        /// Its path.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Making the cluster failed.
    #[error("the database could not be made. Mend what the last lines say, and start again:\n{output}")]
    Make {
        /// The end of what the program printed.
        output: String,
    },
    /// A server of an earlier run does not end.
    #[error(
        "the Postgres left from an earlier run (process id {pid}) does not stop. End that process, and start again:\n{output}"
    )]
    Leftover {
        /// Its process id.
        pid: u32,
        /// The end of what was printed about it.
        output: String,
    },
    /// The server ended, or did not get ready in time.
    #[error("Postgres did not start ({reason}). Mend what the end of {log} says, and start again:\n{tail}")]
    Server {
        /// Ended or late.
        reason: String,
        /// The server's log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
}

impl StartError {
    /// For `map_err` on anything done to the file at `path`.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_path_buf(), source }
    }
}

/// Why a local Postgres did not stop.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The server is still there.
    #[error("Postgres (data in {data}) did not stop. End the process that postmaster.pid in there names:\n{output}")]
    StillRunning {
        /// Where the cluster is.
        data: PathBuf,
        /// The end of what was printed about it.
        output: String,
    },
    /// It stopped, but its files could not be removed.
    #[error("{path} could not be removed. Remove it by hand.")]
    Remove {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
