//! The settings of a sandbox, and the reasons why none can be made.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::capabilities::{HttpTrial, KnowledgeSearch, MemoryStore, ObjectStore};

/// How to run guests.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Calls that run at once.
    pub concurrent_calls: u32,
    /// How long a call waits for its place.
    pub max_wait: Duration,
    /// Folder for compiled code; made with mode 0700.
    pub cache_dir: PathBuf,
    /// MiB that all compiled code there may have together; what was not loaded for longest goes. 0 means no limit.
    pub cache_mib: u64,
    /// The process that compiles uploads.
    pub compiler: Compiler,
    /// Private hosts that granted HTTP may reach.
    pub http_allow_private: Vec<String>,
    /// What answers HTTP requests of guests in place of servers, where components are only tried; none: they are sent.
    pub http: Option<Arc<dyn HttpTrial>>,
    /// Folder for workspaces of guests.
    pub workspace_dir: PathBuf,
    /// The app's buckets and objects; none where this host keeps none.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// The search in knowledge bases; none where this host has none.
    pub knowledge: Option<Arc<dyn KnowledgeSearch>>,
    /// What agents remember of their users; none where this host keeps no memories.
    pub memory: Option<Arc<dyn MemoryStore>>,
}

/// The process that turns a component into native code.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// A process of this program's own (`behalf compile`), bounded in memory and time by the operating system.
    Process(PathBuf),
    /// This process, for components from the host's own build.
    Here,
}

/// Why no sandbox could be made.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The engine could not be set up.
    #[error("cannot set up the WebAssembly engine; it reserves much address space, so check `ulimit -v`")]
    Engine(#[source] wasmtime::Error),
    /// The folder for compiled code is not usable.
    #[error("cannot use {0} for compiled code; it must be a folder of this user's with mode 0700")]
    Cache(PathBuf, #[source] std::io::Error),
    /// The folder for workspaces is not usable.
    #[error("cannot use {0} for files of tools; it must be a folder of this user's with mode 0700")]
    Workspaces(PathBuf, #[source] std::io::Error),
    /// An entry of the private hosts is no host.
    #[error("BEHALF_HTTP_ALLOW_PRIVATE: {0:?} is not of the form host or host:port")]
    AllowPrivate(String),
    /// Threads could not be started.
    #[error("cannot start threads for guests")]
    Threads(#[source] std::io::Error),
}
