//! The memory of one call: what its guest has, and what the host keeps for it. Both count against one limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;

/// The account of one call's memory. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    /// Set once something did not fit, so that the crash that follows is reported as that.
    refused: AtomicBool,
}

/// The call needs more memory than it may have. It ends the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tool, with what the host keeps for it, needs more than {0} bytes of memory")]
pub(crate) struct OverMemory(usize);

/// Bytes that count against a call's limit until this is dropped. Whatever holds the bytes holds this.
#[derive(Debug)]
pub(crate) struct Charge {
    memory: Memory,
    bytes: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        let (used, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Account { limit, used, peak, refused: AtomicBool::new(false) }))
    }

    /// Charges bytes that the host is about to keep.
    pub(crate) fn charge(&self, bytes: usize) -> Result<Charge, OverMemory> {
        self.reserve(bytes)?;
        Ok(Charge { memory: self.clone(), bytes })
    }

    /// Charges bytes that are kept until the call ends.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<(), OverMemory> {
        let Account { limit, used, peak, refused } = &*self.0;
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| sum <= limit);
        let Ok(before) = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) else {
            refused.store(true, Ordering::Relaxed);
            return Err(OverMemory(*limit));
        };
        peak.fetch_max(before + bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Adds bytes that are there whether or not they fit. What is charged after them does not fit any more.
    pub(crate) fn add(&self, bytes: usize) {
        let before = self.0.used.fetch_add(bytes, Ordering::Relaxed);
        self.0.peak.fetch_max(before.saturating_add(bytes), Ordering::Relaxed);
    }

    /// The same bytes, charged until the last part of them is dropped.
    pub(crate) fn hold(&self, bytes: Bytes) -> Result<Bytes, OverMemory> {
        let charge = self.charge(bytes.len())?;
        Ok(Bytes::from_owner(HeldBytes { bytes, _charge: charge }))
    }

    /// The most there was at once.
    pub(crate) fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// What there is now.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether something did not fit.
    pub(crate) fn has_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Notes that the guest was refused something else that its memory is needed for.
    pub(crate) fn refuse(&self) {
        self.0.refused.store(true, Ordering::Relaxed);
    }
}

impl Charge {
    /// Charges more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), OverMemory> {
        self.memory.reserve(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Charges so many bytes instead.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), OverMemory> {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            return self.grow(more);
        }
        self.memory.0.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct HeldBytes {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_counts_until_it_is_dropped_and_the_peak_stays() {
        let memory = Memory::new(100);
        let first = memory.charge(60).expect("it fits");
        assert_eq!(memory.charge(41).err(), Some(OverMemory(100)));
        let second = memory.charge(40).expect("it fits exactly");
        drop(first);
        let mut third = memory.charge(10).expect("the first is gone");
        assert!(third.resize(61).is_err() && third.resize(60).is_ok() && third.resize(1).is_ok());
        drop((second, third));
        assert!(memory.charge(100).is_ok(), "nothing is left");
        assert_eq!(memory.peak(), 100);
        assert!(memory.has_refused());
    }

    #[test]
    fn an_absurd_number_is_refused_and_not_wrapped_around() {
        let memory = Memory::new(usize::MAX);
        let _one = memory.charge(1).expect("it fits");
        assert!(memory.charge(usize::MAX).is_err());
    }

    #[test]
    fn bytes_are_charged_until_their_last_part_is_dropped() {
        let memory = Memory::new(10);
        let mut bytes = memory.hold(Bytes::from_static(b"0123456789")).expect("it fits");
        let part = bytes.split_to(2);
        drop(bytes);
        assert!(memory.charge(1).is_err(), "a part keeps all of it");
        drop(part);
        assert!(memory.charge(10).is_ok());
    }
}
