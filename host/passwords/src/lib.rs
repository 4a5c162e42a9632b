//! Hashes and checks passwords, in a bounded amount of memory and threads, and says why a password is weak.

use thiserror::Error;

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

/// Why a password was not hashed or checked.
#[derive(Debug, Error)]
pub enum HashError {
    /// Too many wait already.
    #[error("too many passwords are being checked right now; try again shortly")]
    Busy,
    /// The library could not hash.
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
pub struct Hasher(());

impl Hasher {
    /// Makes a hasher.
    pub fn new(_options: &HasherOptions) -> Self {
        Self(())
    }

    /// The hash to store (argon2id, in the PHC string format).
    pub async fn hash(&self, _password: &str) -> Result<String, HashError> {
        Err(HashError::Failed)
    }

    /// Compares with a stored hash, argon2 or bcrypt. Without one it does the same work and finds the password wrong, so that the
    /// time does not tell whether there is an account.
    pub async fn check(&self, _password: &str, _stored: Option<&str>) -> Result<Checked, HashError> {
        Err(HashError::Failed)
    }
}
