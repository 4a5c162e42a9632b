//! What agents remember, in memory, for one command.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use behalf_sandbox::{MemoryCaller, MemoryError, MemoryFuture, MemoryStore, NewMemory, Remembered};
use chrono::{SecondsFormat, Utc};
use futures::FutureExt as _;
use uuid::Uuid;

use crate::trial_documents::likeness;

/// Memories of one user; a command does not end for lack of memory of its own.
const MOST: usize = 1_000;

/// Memories by user and agent, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct TrialMemories {
    all: Mutex<Vec<(Owner, Remembered)>>,
    fails: AtomicBool,
}

type Owner = (Option<Uuid>, Option<Uuid>);

impl TrialMemories {
    /// Makes every operation fail, or no longer.
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Vec<(Owner, Remembered)>) -> Result<T, MemoryError>,
    ) -> Result<T, MemoryError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(MemoryError::unavailable());
        }
        work(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl MemoryStore for TrialMemories {
    fn remember<'a>(&'a self, caller: MemoryCaller<'a>, memory: NewMemory<'a>) -> MemoryFuture<'a, Uuid> {
        let kept = self.with(|all| {
            if all.iter().filter(|(of, _)| *of == owner(&caller)).count() >= MOST {
                return Err(MemoryError::new("limit", "there are too many memories; forget some first"));
            }
            let one = Remembered {
                id: Uuid::new_v4(),
                text: memory.text.to_owned(),
                score: 0.0,
                meta: memory.meta.clone(),
                created_at: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            };
            let id = one.id;
            all.push((owner(&caller), one));
            Ok(id)
        });
        std::future::ready(kept).boxed()
    }

    fn recall<'a>(&'a self, caller: MemoryCaller<'a>, query: &'a str, top_k: u32) -> MemoryFuture<'a, Vec<Remembered>> {
        let found = self.with(|all| {
            let mine = all.iter().rev().filter(|(of, _)| *of == owner(&caller));
            let mut found: Vec<_> =
                mine.map(|(_, one)| Remembered { score: likeness(query, &one.text), ..one.clone() }).collect();
            found.sort_by(|a, b| b.score.total_cmp(&a.score));
            found.truncate(top_k as usize);
            Ok(found)
        });
        std::future::ready(found).boxed()
    }

    fn forget<'a>(&'a self, caller: MemoryCaller<'a>, id: Uuid) -> MemoryFuture<'a, bool> {
        let was_there = self.with(|all| {
            let before = all.len();
            all.retain(|(of, one)| *of != owner(&caller) || one.id != id);
            Ok(all.len() < before)
        });
        std::future::ready(was_there).boxed()
    }
}

fn owner(caller: &MemoryCaller<'_>) -> Owner {
    (caller.principal.subject(), caller.agent)
}
