//! The workspaces of this host: a folder for each call, session or user. The one door that opens a folder for a guest.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use behalf_identity::{Principal, Role};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use super::grant::{FilesGrants, Workspace};
use super::quota::Quota;

/// The limit where a grant names none: enough for documents.
const DEFAULT_BYTES: u64 = 16 * 1024 * 1024;
/// No grant goes beyond a gigabyte: larger files belong into object storage.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Folders of calls, one folder for each process, beside a file that its process keeps locked.
const CALLS: &str = "calls-";
const LOCK: &str = ".lock";

/// The calls that share a workspace: those of one plugin, and of one session or user.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) plugin: Uuid,
    pub(super) session: Option<String>,
    pub(super) principal: Arc<Principal>,
}

/// Why there is no workspace.
#[derive(Debug, Error)]
pub(super) enum WorkspaceError {
    #[error("a folder for each user, and this call is for no user")]
    NoUser,
    #[error("a folder for each session, and this call belongs to no session of a signed-in caller")]
    NoSession,
    #[error("the folder cannot be opened")]
    Io(#[from] io::Error),
}

/// A workspace of one call. Dropped, a folder that was for the call alone is removed.
#[derive(Debug)]
pub(super) struct OpenWorkspace {
    pub(super) path: PathBuf,
    pub(super) quota: Arc<Quota>,
    temporary: bool,
}

impl Drop for OpenWorkspace {
    fn drop(&mut self) {
        if !self.temporary {
            return;
        }
        let path = std::mem::take(&mut self.path);
        let remove = move || {
            // A write that was under way may have put a file into a folder that was just emptied.
            if std::fs::remove_dir_all(&path).is_err() && path.exists() && std::fs::remove_dir_all(&path).is_err() {
                tracing::warn!("the folder of a call is still there; the next start removes it");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// All workspaces of this host, below one folder that is this user's alone. Names in it are hashes; nothing that a user,
/// a model or a guest wrote is part of a path.
#[derive(Debug)]
pub(super) struct Workspaces {
    pub(super) base: PathBuf,
    pub(super) calls: PathBuf,
    /// Held while this process lives; see [`remove_abandoned`].
    _lock: File,
    /// Calls that share a folder share its account.
    shared: Mutex<HashMap<String, Weak<Quota>>>,
}

impl Workspaces {
    pub(super) fn open(base: &Path) -> io::Result<Self> {
        make_folder(base, true)?;
        let base = base.canonicalize()?;
        let meta = base.metadata()?;
        if meta.uid() != std::fs::metadata("/proc/self")?.uid() {
            return Err(io::Error::other("the folder belongs to another user"));
        }
        if meta.mode() & 0o077 != 0 {
            std::fs::set_permissions(&base, Permissions::from_mode(0o700))?;
        }
        // One start at a time, so that a lock which was made and not yet taken does not look abandoned.
        let turn = File::create(base.join("lock"))?;
        turn.lock()?;
        remove_abandoned(&base)?;
        let name = format!("{CALLS}{}", Uuid::new_v4());
        let lock = File::create(base.join(format!("{name}{LOCK}")))?;
        lock.lock()?;
        let calls = base.join(name);
        make_folder(&calls, false)?;
        Ok(Self { base, calls, _lock: lock, shared: Mutex::default() })
    }

    /// Opens the folder that a grant means for this owner, and makes it where it is not there yet.
    pub(super) async fn for_call(
        self: &Arc<Self>,
        grant: FilesGrants,
        owner: Owner,
    ) -> Result<OpenWorkspace, WorkspaceError> {
        let workspaces = Arc::clone(self);
        let opened = tokio::task::spawn_blocking(move || workspaces.open_folder(&grant, &owner)).await;
        opened.map_err(io::Error::other)?
    }

    fn open_folder(&self, grant: &FilesGrants, owner: &Owner) -> Result<OpenWorkspace, WorkspaceError> {
        let limit = if grant.max_bytes == 0 { DEFAULT_BYTES } else { grant.max_bytes.min(MAX_BYTES) };
        let (name, temporary) = match grant.workspace {
            Workspace::None => return Err(io::Error::other("no workspace was granted").into()),
            Workspace::Call => (Uuid::new_v4().to_string(), true),
            Workspace::Session => (session_name(owner)?, false),
            Workspace::User => (user_name(owner)?, false),
        };
        let path = if temporary { self.calls.join(&name) } else { self.base.join(&name) };
        let open = || Dir::open_ambient_dir(&path, ambient_authority()).and_then(|dir| Quota::new(dir, limit));
        let quota = if temporary {
            make_folder(&path, false)?;
            Arc::new(open()?)
        } else {
            // From here on it is not deleted (`prune`).
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            match make_folder(&path, false) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => touch(&path),
                made => made?,
            }
            shared.retain(|_, quota| quota.strong_count() > 0);
            let known = shared.get(&name).and_then(Weak::upgrade);
            let quota = if let Some(quota) = known { quota } else { Arc::new(open()?) };
            shared.insert(name, Arc::downgrade(&quota));
            quota
        };
        quota.set_limit(limit);
        Ok(OpenWorkspace { path, quota, temporary })
    }
}

impl Workspaces {
    /// Deletes the folders of users and sessions that no call opened for so long, and in which nothing changed.
    pub(super) fn prune(&self, unused: Duration) -> io::Result<()> {
        for entry in self.base.read_dir()? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let is_shared = name.starts_with("user-") || name.starts_with("session-");
            if !is_shared || youngest(&entry.path()).is_none_or(|age| age <= unused) {
                continue;
            }
            // Another name first, under the lock: a call that opens it at this moment gets a new folder or keeps this one.
            let gone = self.calls.join(Uuid::new_v4().to_string());
            {
                let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
                let is_open = shared.get(&name).is_some_and(|quota| quota.strong_count() > 0);
                if is_open || youngest(&entry.path()).is_none_or(|age| age <= unused) {
                    continue;
                }
                std::fs::rename(entry.path(), &gone)?;
            }
            std::fs::remove_dir_all(&gone)?;
        }
        Ok(())
    }
}

/// Shows other processes that the folder is in use.
fn touch(path: &Path) {
    if let Ok(folder) = File::open(path) {
        folder.set_modified(SystemTime::now()).ok();
    }
}

/// How long ago something of a folder changed last; none where that cannot be told. Links are not followed.
fn youngest(path: &Path) -> Option<Duration> {
    let meta = path.symlink_metadata().ok()?;
    let mut age = meta.modified().ok()?.elapsed().unwrap_or_default();
    if meta.is_dir() {
        for entry in path.read_dir().ok()? {
            age = age.min(youngest(&entry.ok()?.path())?);
        }
    }
    Some(age)
}

impl Drop for Workspaces {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.calls).ok();
        let mut lock = self.calls.clone().into_os_string();
        lock.push(LOCK);
        std::fs::remove_file(lock).ok();
    }
}

fn user_name(owner: &Owner) -> Result<String, WorkspaceError> {
    let user = owner.principal.subject().ok_or(WorkspaceError::NoUser)?;
    Ok(hashed("user", &[owner.plugin.as_bytes(), user.as_bytes()]))
}

/// The caller is part of the name: a caller that learns the id of another's session does not get its files.
fn session_name(owner: &Owner) -> Result<String, WorkspaceError> {
    let session = owner.session.as_deref().filter(|session| !session.is_empty()).ok_or(WorkspaceError::NoSession)?;
    let caller = match (owner.principal.role(), owner.principal.subject()) {
        (Role::Anon, _) => return Err(WorkspaceError::NoSession),
        (role, subject) => format!("{role} {}", subject.unwrap_or_default()),
    };
    Ok(hashed("session", &[owner.plugin.as_bytes(), session.as_bytes(), caller.as_bytes()]))
}

/// Lengths are hashed too, so that no two lists of parts give the same bytes.
fn hashed(kind: &str, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new_with_prefix("behalf workspace 1");
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    format!("{kind}-{}", hex::encode(hash.finalize()))
}

fn make_folder(path: &Path, recursive: bool) -> io::Result<()> {
    DirBuilder::new().recursive(recursive).mode(0o700).create(path)
}

/// Removes the folders of processes that ended without removing them: if a lock can be taken, its process has ended.
fn remove_abandoned(base: &Path) -> io::Result<()> {
    for entry in base.read_dir()? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let Some(folder) = name.strip_suffix(LOCK).filter(|name| name.starts_with(CALLS)) else { continue };
        // A process that ends at this moment removes its own folder.
        let Ok(lock) = File::open(entry.path()) else { continue };
        match lock.try_lock() {
            Ok(()) => {
                std::fs::remove_dir_all(base.join(folder)).ok();
                std::fs::remove_file(entry.path()).ok();
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}
