//! The memories that one call can reach, and the bounds of each operation on them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_identity::{CallerKey, Principal};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::store::{MemoryCaller, MemoryError, MemoryStore, NewMemory, Remembered};
use crate::deadline::Deadline;
use crate::memory::Memory;

/// Bytes of a text or a query. A memory is a fact, not a document.
const MAX_TEXT: usize = 8_000;
/// Bytes of what is added to a text.
const MAX_META: usize = 4_096;
/// Memories of one answer.
const MAX_TOP_K: u32 = 50;
/// The longest time for one operation.
const OPERATION: Duration = Duration::from_secs(30);

/// The memories that one call can reach.
#[derive(Debug)]
pub(super) struct CallMemories {
    /// None where this host keeps no memories.
    pub(super) store: Option<Arc<dyn MemoryStore>>,
    /// Whether the call may remember and forget.
    pub(super) writes: bool,
    pub(super) principal: Arc<Principal>,
    pub(super) agent: Option<Uuid>,
    pub(super) key: CallerKey,
    pub(super) deadline: Deadline,
    /// Bytes of the largest answer.
    pub(super) output_bytes: usize,
}

/// A guest's mistake as a WIT error inside, an end of the guest outside.
pub(super) type Done<T> = wasmtime::Result<Result<T, MemoryError>>;

impl CallMemories {
    /// The store, for a caller who is a user.
    fn store(&self) -> Result<&dyn MemoryStore, MemoryError> {
        let nobody = || MemoryError::new("denied", "only a user has memories, and this call is made for no user");
        self.principal.subject().ok_or_else(nobody)?;
        let missing = || MemoryError::new("unavailable", "this host keeps no memories");
        self.store.as_deref().ok_or_else(missing)
    }

    fn store_to_write(&self) -> Result<&dyn MemoryStore, MemoryError> {
        let refused = "this tool may recall memories but not change them; an operator decides that with the plugin's \
                       grants";
        if self.writes { self.store() } else { Err(MemoryError::new("not_granted", refused)) }
    }

    fn caller(&self) -> MemoryCaller<'_> {
        let left = self.deadline.at().saturating_duration_since(Instant::now());
        MemoryCaller { principal: &self.principal, agent: self.agent, key: self.key, deadline: left.min(OPERATION) }
    }

    /// Keeps a text.
    pub(super) async fn remember(&self, memory: &Memory, text: &str, meta: &str) -> Done<Uuid> {
        let _charge = memory.charge(text.len().saturating_add(meta.len()))?;
        let asked = self.store_to_write().and_then(|store| {
            check_text(text)?;
            if text.trim().is_empty() {
                return Err(invalid("there is no text to remember"));
            }
            Ok((store, read_meta(meta)?))
        });
        Ok(match asked {
            Ok((store, meta)) => store.remember(self.caller(), NewMemory { text, meta: &meta }).await,
            Err(error) => Err(error),
        })
    }

    /// The memories that fit a query.
    pub(super) async fn recall(&self, memory: &Memory, query: &str, top_k: u32) -> Done<Vec<Remembered>> {
        let _query = memory.charge(query.len())?;
        let asked = self.store().and_then(|store| {
            check_text(query)?;
            match top_k {
                1..=MAX_TOP_K => Ok(store),
                _ => Err(invalid(format!("top_k is a number from 1 to {MAX_TOP_K}"))),
            }
        });
        let found = match asked {
            Ok(store) => store.recall(self.caller(), query, top_k).await,
            Err(error) => Err(error),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let bytes: usize = found.iter().map(size).sum();
        // With the copy that the guest gets.
        let _charge = memory.charge(bytes.saturating_mul(2))?;
        if bytes > self.output_bytes {
            let message = format!(
                "the memories have {bytes} bytes, and this call takes at most {}; ask for fewer with top_k",
                self.output_bytes
            );
            return Ok(Err(MemoryError::new("limit", message)));
        }
        Ok(Ok(found))
    }

    /// Removes a memory.
    pub(super) async fn forget(&self, id: &str) -> Result<bool, MemoryError> {
        let store = self.store_to_write()?;
        let id = Uuid::try_parse(id).map_err(|_| invalid("the id of a memory is a UUID, as `recall` gives it"))?;
        store.forget(self.caller(), id).await
    }
}

fn invalid(message: impl Into<String>) -> MemoryError {
    MemoryError::new("invalid", message)
}

fn check_text(text: &str) -> Result<(), MemoryError> {
    if text.len() <= MAX_TEXT && !text.contains('\0') {
        Ok(())
    } else {
        Err(invalid(format!("a text has at most {MAX_TEXT} bytes, and no zero byte")))
    }
}

fn read_meta(meta: &str) -> Result<Map<String, Value>, MemoryError> {
    let wrong = || invalid(format!("meta is a JSON object of at most {MAX_META} bytes, without a zero character"));
    if meta.len() > MAX_META {
        return Err(wrong());
    }
    let read: Map<String, Value> = serde_json::from_str(meta).map_err(|_| wrong())?;
    // Postgres has no place for this character.
    let has_zero = serde_json::to_string(&read).is_ok_and(|text| text.contains("\\u0000"));
    if has_zero { Err(wrong()) } else { Ok(read) }
}

/// Bytes of a memory in an answer.
fn size(one: &Remembered) -> usize {
    let meta = serde_json::to_string(&one.meta).map_or(0, |meta| meta.len());
    size_of_val(one) + one.text.len() + meta + one.created_at.len()
}
