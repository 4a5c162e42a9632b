//! What a check costs, and how every check comes to cost the same.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::argon::{ArgonCost, ArgonHash};
use crate::legacy;

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

/// What the dearest known hash of each kind costs. Every check is filled up to it.
#[derive(Debug)]
pub(crate) struct Ceiling {
    argon: AtomicU64,
    /// 0 where there is no hash of bcrypt.
    bcrypt: AtomicU32,
    passes: u32,
    done: AtomicU64,
}

impl Ceiling {
    pub(crate) fn new(own: ArgonCost) -> Self {
        let (argon, bcrypt) = (AtomicU64::new(own.work()), AtomicU32::new(0));
        Self { argon, bcrypt, passes: own.passes, done: AtomicU64::new(0) }
    }

    /// Accounts have hashes that begin like this.
    pub(crate) fn raise(&self, text: &str) {
        if let Some(cost) = legacy::cost(text) {
            self.bcrypt.fetch_max(cost, Ordering::Relaxed);
        } else if let Some((cost, ..)) = ArgonCost::parse(text) {
            self.argon.fetch_max(cost.work(), Ordering::Relaxed);
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
        let (mut argon, mut rounds) = (0, 0);
        let is_right = match stored {
            Some(Stored::Argon(hash)) => {
                argon = hash.cost.work();
                hash.matches(password)
            }
            Some(Stored::Bcrypt { text, cost }) => {
                rounds = 1 << cost;
                legacy::matches(password, text)
            }
            None => false,
        };
        self.count(argon + rounds);
        self.fill_argon(password, argon);
        self.fill_bcrypt(password, rounds);
        is_right
    }

    fn fill_argon(&self, password: &str, done: u64) {
        let missing = self.argon.load(Ordering::Relaxed).saturating_sub(done);
        if let Some(cost) = ArgonCost::of_work(missing, self.passes) {
            std::hint::black_box(ArgonHash::dummy(cost).matches(password));
            self.count(cost.work());
        }
    }

    /// 2^n rounds and then those of the costs n, n+1, … below the ceiling are exactly the rounds of the ceiling.
    fn fill_bcrypt(&self, password: &str, done: u64) {
        let ceiling = self.bcrypt.load(Ordering::Relaxed);
        let costs = match (ceiling, done) {
            (0, _) => return,
            (_, 0) => ceiling..ceiling + 1,
            (_, done) => done.ilog2()..ceiling,
        };
        for cost in costs {
            legacy::waste(password, cost);
            self.count(1 << cost);
        }
    }
}
