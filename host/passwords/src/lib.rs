//! Hashes and checks passwords, in a bounded amount of memory and threads, and says why a password is weak.
//!
//! New hashes are argon2id. Hashes that were imported (bcrypt, argon2 with other parameters) are checked as well; a check says
//! where one should be replaced. Knows no database and no feature.
//!
//! **No oracle.** Every check of a [`Hasher`] costs the same, whether there is an account and however its password is stored: it does
//! one hash of each kind that accounts have, and only one of these can be that of the account. So where some accounts have bcrypt of
//! cost 10, each check does an argon2 of the hasher's own parameters and a bcrypt of cost 10. The hasher knows the kinds from
//! [`Hasher::expect`], and from every check of another one. Only that first check of a kind that nobody expected takes longer than
//! one without an account. It knows five kinds at most, with all costs of bcrypt as one of them.

mod argon;
mod cost;
mod hasher;
mod legacy;
#[cfg(test)]
mod tests;
mod threads;
mod weakness;

pub use hasher::{Checked, HashError, Hasher, HasherOptions};
pub use weakness::{Policy, weakness};

/// The longest password, in bytes. bcrypt reads no more, so that other servers refuse longer ones as well.
pub const MAX_PASSWORD_BYTES: usize = 72;

/// Whether a hash of this form can be checked here: bcrypt (`$2a$`, `$2b$`, `$2y$`) or argon2 (`$argon2i$`, `$argon2id$`), within
/// what one check may cost.
pub fn is_supported(stored: &str) -> bool {
    cost::Stored::parse(stored).is_some()
}
