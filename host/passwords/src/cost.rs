//! What a check costs, and how every check comes to cost the same.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::argon::{ArgonHash, ArgonKind};
use crate::legacy;

/// Kinds of argon2 that each check does one hash of. A project has one, and one more for each change of its parameters.
const MAX_KINDS: usize = 4;

/// A stored hash.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    Argon(ArgonHash),
    Bcrypt { text: String, cost: u32 },
}

impl Stored {
    /// Reads a hash; `None` for one that cannot be checked.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match legacy::cost(text) {
            Some(cost) => legacy::is_whole(text).then(|| Self::Bcrypt { text: text.to_owned(), cost }),
            None => ArgonHash::parse(text).map(Self::Argon),
        }
    }
}

/// The kinds of hashes that accounts have. Each check does one hash of each, whichever of them is the account's.
#[derive(Debug)]
pub(crate) struct Kinds {
    argon: RwLock<Vec<ArgonKind>>,
    /// The dearest cost of bcrypt; 0 where there is no such hash.
    bcrypt: AtomicU32,
    done: AtomicU64,
}

impl Kinds {
    pub(crate) fn new(own: ArgonKind) -> Self {
        Self { argon: RwLock::new(vec![own]), bcrypt: AtomicU32::new(0), done: AtomicU64::new(0) }
    }

    /// Accounts have hashes that begin like this.
    pub(crate) fn add(&self, text: &str) {
        if let Some(cost) = legacy::cost(text) {
            self.bcrypt.fetch_max(cost, Ordering::Relaxed);
        } else if let Some((kind, _)) = ArgonKind::parse(text) {
            let mut kinds = self.argon.write().unwrap_or_else(PoisonError::into_inner);
            if kinds.len() < MAX_KINDS && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }

    /// Work that was done so far: KiB times passes of argon2, and rounds of bcrypt.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, work: u64) {
        self.done.fetch_add(work, Ordering::Relaxed);
    }

    /// Compares, and does the rest of the work that a check costs.
    pub(crate) fn check(&self, password: &str, stored: Option<&Stored>) -> bool {
        let argon = match stored {
            Some(Stored::Argon(hash)) => Some(hash),
            _ => None,
        };
        let bcrypt = match stored {
            Some(Stored::Bcrypt { text, cost }) => Some((text.as_str(), *cost)),
            _ => None,
        };
        let is_argon = self.check_argon(password, argon);
        let is_bcrypt = self.check_bcrypt(password, bcrypt);
        is_argon | is_bcrypt
    }

    fn check_argon(&self, password: &str, stored: Option<&ArgonHash>) -> bool {
        let mut kinds = self.argon.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hash) = stored.filter(|hash| !kinds.contains(&hash.kind)) {
            kinds.push(hash.kind);
        }
        let mut is_right = false;
        for kind in kinds {
            let of_kind = stored.filter(|hash| hash.kind == kind);
            let found = std::hint::black_box(of_kind.unwrap_or(&ArgonHash::dummy(kind)).matches(password));
            is_right |= found & of_kind.is_some();
            self.count(kind.work());
        }
        is_right
    }

    /// 2^n rounds and then those of the costs n, n+1, … below the dearest are exactly the rounds of the dearest.
    fn check_bcrypt(&self, password: &str, stored: Option<(&str, u32)>) -> bool {
        let dearest = self.bcrypt.load(Ordering::Relaxed);
        let (is_right, rest) = match stored {
            Some((text, cost)) => {
                self.count(1 << cost);
                (legacy::matches(password, text), cost..dearest)
            }
            None if dearest == 0 => return false,
            None => (false, dearest..dearest + 1),
        };
        for cost in rest {
            legacy::waste(password, cost);
            self.count(1 << cost);
        }
        is_right
    }
}
