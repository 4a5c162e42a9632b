//! Hashing and checking, in a bounded number of threads.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Instant;

use behalf_telemetry::metric;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use thiserror::Error;

use crate::MAX_PASSWORD_BYTES;
use crate::argon::{ArgonHash, ArgonKind};
use crate::cost::{Kinds, Stored};
use crate::threads::Threads;

/// What hashing may cost.
#[derive(Clone, Debug)]
pub struct HasherOptions {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Hashes at the same time.
    pub concurrent: usize,
    /// Hashes that wait for a place; more are refused.
    pub waiting: usize,
}

impl Default for HasherOptions {
    /// OWASP's parameters of argon2id, on one of two processors.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { memory_kib: 19 * 1024, passes: 2, concurrent: (processors / 2).max(1), waiting: 256 }
    }
}

/// Why a password was not hashed or checked.
#[derive(Debug, Error)]
pub enum HashError {
    /// Too many wait already.
    #[error("too many passwords are being checked right now; try again shortly")]
    Busy,
    /// The library could not hash, or the password is empty or longer than [`MAX_PASSWORD_BYTES`].
    #[error("the password could not be hashed")]
    Failed,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is the password.
    Right,
    /// It is the password, and the stored hash should be replaced by a new one.
    RightButOld,
    /// It is not.
    Wrong,
}

/// Hashes and checks passwords. Clones share the bound.
#[derive(Clone, Debug)]
pub struct Hasher {
    own: ArgonKind,
    kinds: Arc<Kinds>,
    threads: Threads,
}

impl Hasher {
    /// Makes a hasher.
    pub fn new(options: &HasherOptions) -> Self {
        let own = ArgonKind::new(options.memory_kib, options.passes);
        let threads = Threads::start(options.concurrent, options.waiting);
        Self { own, kinds: Arc::new(Kinds::new(own)), threads }
    }

    /// Accounts have hashes that begin like this, such as `$2a$10$` or `$argon2id$v=19$m=65536,t=3,p=4$`. From now on every check
    /// does one of these as well.
    pub fn expect(&self, prefix: &str) {
        self.kinds.add(prefix);
    }

    /// The hash to store (argon2id, in the PHC string format). Fails for an empty password and one longer than
    /// [`MAX_PASSWORD_BYTES`], which the caller refuses with reasons of its own.
    pub fn hash(&self, password: &str) -> BoxFuture<'static, Result<String, HashError>> {
        let (hasher, password) = (self.clone(), password.to_owned());
        async move {
            if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
                return Err(HashError::Failed);
            }
            let kinds = Arc::clone(&hasher.kinds);
            let hash = move || {
                let made = ArgonHash::make(&password, hasher.own)?;
                kinds.count(hasher.own.work());
                Ok(made.to_text())
            };
            run(&hasher.threads, hash).await?
        }
        .boxed()
    }

    /// Compares with a stored hash, argon2 or bcrypt. Without one, or with one that cannot be checked, it does the same work and
    /// finds the password wrong, so that the time does not tell whether there is an account.
    pub fn check(&self, password: &str, stored: Option<&str>) -> BoxFuture<'static, Result<Checked, HashError>> {
        let (hasher, password, stored) = (self.clone(), password.to_owned(), stored.map(str::to_owned));
        async move {
            let threads = hasher.threads.clone();
            run(&threads, move || hasher.check_here(&password, stored.as_deref())).await
        }
        .boxed()
    }

    /// The work that was done so far, in units of argon2 and bcrypt. Two checks that differ only in their account add the same.
    pub fn work(&self) -> u64 {
        self.kinds.done()
    }

    fn check_here(&self, password: &str, stored: Option<&str>) -> Checked {
        let parsed = stored.filter(|stored| !stored.is_empty()).and_then(|stored| {
            let parsed = Stored::parse(stored);
            if parsed.is_none() {
                tracing::warn!("a stored password is of a form that cannot be checked");
            }
            parsed
        });
        if let (Some(stored), Some(_)) = (stored, &parsed) {
            self.kinds.add(stored);
        }
        let is_right = self.kinds.check(password, parsed.as_ref());
        // A longer one cannot be hashed anew. Other servers let bcrypt read its beginning, so it stays right.
        let is_long = password.len() > MAX_PASSWORD_BYTES;
        match parsed {
            Some(Stored::Bcrypt { .. }) if is_right && is_long => Checked::Right,
            Some(Stored::Bcrypt { .. }) if is_right => Checked::RightButOld,
            Some(Stored::Argon(hash)) if is_right && !is_long && hash.kind.is_weaker_than(self.own) => {
                Checked::RightButOld
            }
            _ if is_right => Checked::Right,
            _ => Checked::Wrong,
        }
    }
}

/// Runs in a thread, and counts.
async fn run<T: Send + 'static>(threads: &Threads, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashError> {
    let begun = Instant::now();
    let done = threads.run(work).await;
    let outcome = match &done {
        Ok(_) => "done",
        Err(HashError::Busy) => "busy",
        Err(HashError::Failed) => "failed",
    };
    metric::password_hashed(outcome, begun.elapsed());
    done
}
