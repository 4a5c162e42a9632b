//! The quota of one workspace: how much it holds, and how much it may hold.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cap_std::fs::{Dir, MetadataExt as _};

/// Files, folders and links of one workspace. Each may take a block on disk beyond its bytes, and measuring takes time
/// for each.
const MAX_ENTRIES: u64 = 1_000;
/// Folders of one workspace, and so also the depth: measuring and removing hold an open folder for each level.
const MAX_FOLDERS: u64 = 64;
/// Files of one workspace that are open at once; each is a file of this process.
const MAX_OPEN: usize = 64;

/// The workspace is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The account of one workspace: the bytes and entries that it holds, and its limit.
///
/// The guarantee: bytes are charged before they are written, so the lengths of all files together, those included that
/// were unlinked and are still open, do not grow beyond the limit, whatever the guest does and however many calls share
/// the folder. Three things are outside it: writes already on their way to the disk while the folder is measured again (at
/// most one for each open stream), a hole that a stream leaves when its file is cut short under it (which takes no space
/// on disk), and other hosts that use the same folder through a network, each of which keeps its own account.
#[derive(Debug)]
pub(super) struct Quota {
    dir: Dir,
    account: Mutex<Account>,
    measuring: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Account {
    limit: u64,
    used: Used,
    open: Vec<Weak<File>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) bytes: u64,
    pub(super) entries: u64,
    pub(super) folders: u64,
}

impl Quota {
    pub(super) fn new(dir: Dir, limit: u64) -> io::Result<Self> {
        let used = measure(&dir)?;
        let account = Mutex::new(Account { limit, used, open: Vec::new() });
        Ok(Self { dir, account, measuring: tokio::sync::Mutex::default() })
    }

    pub(super) fn set_limit(&self, limit: u64) {
        self.account().limit = limit;
    }

    pub(super) fn used(&self) -> Used {
        self.account().used
    }

    /// Bytes that may still be written.
    pub(super) fn left(&self) -> u64 {
        let account = self.account();
        account.limit.saturating_sub(account.used.bytes)
    }

    /// Charges without measuring the folder, for streams, whose writes must not wait.
    pub(super) fn charge(&self, bytes: u64) -> Result<(), Full> {
        self.charge_all(Used { bytes, ..Used::default() })
    }

    fn charge_all(&self, more: Used) -> Result<(), Full> {
        let mut account = self.account();
        let used = account.used;
        let sum = Used {
            bytes: used.bytes.checked_add(more.bytes).ok_or(Full)?,
            entries: used.entries.checked_add(more.entries).ok_or(Full)?,
            folders: used.folders.checked_add(more.folders).ok_or(Full)?,
        };
        // A workspace that is over its limit, after the grant was reduced, may be used as long as it does not grow.
        let fits = |more: u64, sum: u64, limit: u64| more == 0 || sum <= limit;
        if fits(more.bytes, sum.bytes, account.limit)
            && fits(more.entries, sum.entries, MAX_ENTRIES)
            && fits(more.folders, sum.folders, MAX_FOLDERS)
        {
            account.used = sum;
            return Ok(());
        }
        Err(Full)
    }

    /// Charges. Where there is no room, measures the folder first: files may have been removed.
    pub(super) async fn reserve(self: &Arc<Self>, more: Used) -> Result<(), Full> {
        if self.charge_all(more).is_ok() {
            return Ok(());
        }
        self.measure_again().await;
        self.charge_all(more)
    }

    /// Measures the folder and replaces the account. Charges made while measuring stay.
    pub(super) async fn measure_again(self: &Arc<Self>) {
        let _alone = self.measuring.lock().await;
        let quota = Arc::clone(self);
        let measured = tokio::task::spawn_blocking(move || {
            let before = quota.used();
            measure(&quota.dir).map(|measured| (before, measured))
        });
        let Ok(Ok((before, found))) = measured.await else { return };
        let mut account = self.account();
        let unlinked = account.open.iter().filter_map(Weak::upgrade).map(|file| unlinked_bytes(&file)).sum::<u64>();
        let since = |now: u64, before: u64| now.saturating_sub(before);
        account.used = Used {
            bytes: found.bytes.saturating_add(unlinked).saturating_add(since(account.used.bytes, before.bytes)),
            entries: found.entries.saturating_add(since(account.used.entries, before.entries)),
            folders: found.folders.saturating_add(since(account.used.folders, before.folders)),
        };
    }

    /// Whether one more file may be open.
    pub(super) fn may_open(&self) -> bool {
        let mut account = self.account();
        // Streams hold their file as well, so a file counts until the last of them is gone.
        account.open.retain(|file| file.strong_count() > 0);
        account.open.len() < MAX_OPEN
    }

    pub(super) fn opened(&self, file: &Arc<File>) {
        self.account().open.push(Arc::downgrade(file));
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file without a name takes space until it is closed.
fn unlinked_bytes(file: &File) -> u64 {
    file.metadata().map_or(0, |meta| if meta.nlink() == 0 && meta.is_file() { meta.len() } else { 0 })
}

/// Adds up a folder. A folder that is larger or deeper than a guest can make it counts as full.
fn measure(dir: &Dir) -> io::Result<Used> {
    let mut used = Used::default();
    add_folder(dir, &mut used, 0)?;
    Ok(used)
}

fn add_folder(dir: &Dir, used: &mut Used, depth: u64) -> io::Result<()> {
    if depth > MAX_FOLDERS || used.entries > MAX_ENTRIES * 2 {
        used.bytes = u64::MAX;
        return Ok(());
    }
    for entry in dir.entries()? {
        let entry = entry?;
        // Entries come and go while another call works in the folder.
        let Ok(meta) = entry.metadata() else { continue };
        used.entries += 1;
        if meta.is_dir() {
            used.folders += 1;
            if let Ok(inner) = entry.open_dir() {
                add_folder(&inner, used, depth + 1)?;
            }
        } else {
            // A file with several names counts once for each; guests cannot make such files.
            used.bytes = used.bytes.saturating_add(meta.size());
        }
    }
    Ok(())
}
