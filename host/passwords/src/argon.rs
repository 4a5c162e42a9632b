//! Argon2 hashes as PHC strings: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use subtle::ConstantTimeEq as _;

use crate::hasher::HashError;

/// The most memory of a stored hash, in KiB: several are checked at a time.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// The most work of a stored hash, in KiB times passes; about a second.
const MAX_WORK: u64 = 1024 * 1024;
/// The most lanes of a stored hash.
const MAX_LANES: u32 = 64;
/// Bytes of a new salt (RFC 9106, section 3.1).
const SALT_BYTES: usize = 16;
/// Bytes of a new hash.
const HASH_BYTES: usize = 32;
/// The least of both that is taken of a stored hash.
const MIN_BYTES: usize = 8;
/// The most of both.
const MAX_BYTES: usize = 128;

/// A kind of hash: the algorithm and how much work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArgonKind {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    algorithm: Algorithm,
    version: Version,
}

impl ArgonKind {
    /// Argon2id with one lane: a check takes one thread.
    pub(crate) fn new(memory_kib: u32, passes: u32) -> Self {
        let (memory_kib, passes) = (memory_kib.clamp(Params::MIN_M_COST, MAX_MEMORY_KIB), passes.max(1));
        Self { memory_kib, passes, lanes: 1, algorithm: Algorithm::Argon2id, version: Version::V0x13 }
    }

    /// KiB that are written.
    pub(crate) fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    /// Whether a hash of this kind is weaker than one of the other.
    pub(crate) fn is_weaker_than(self, other: Self) -> bool {
        let is_current = self.algorithm == Algorithm::Argon2id && self.version == Version::V0x13;
        !is_current || self.memory_kib < other.memory_kib || self.work() < other.work()
    }

    /// Reads the part of a PHC string before its salt, `$argon2id$v=19$m=19456,t=2,p=1$`, and returns what follows.
    pub(crate) fn parse(text: &str) -> Option<(Self, &str)> {
        let (name, rest) = text.strip_prefix('$')?.split_once('$')?;
        let algorithm = match name {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            _ => return None,
        };
        let (version, rest) = rest.split_once('$')?;
        let version = match version {
            "v=19" => Version::V0x13,
            "v=16" => Version::V0x10,
            _ => return None,
        };
        let (parameters, rest) = rest.split_once('$')?;
        let mut numbers = parameters.split(',').zip(["m=", "t=", "p="]);
        let mut next = || numbers.next().and_then(|(number, name)| number.strip_prefix(name)?.parse::<u32>().ok());
        let (memory_kib, passes, lanes) = (next()?, next()?, next()?);
        let kind = Self { memory_kib, passes, lanes, algorithm, version };
        let is_bounded = memory_kib <= MAX_MEMORY_KIB && kind.work() <= MAX_WORK && (1..=MAX_LANES).contains(&lanes);
        // Anything else, such as a key's id, cannot be checked.
        let is_whole = is_bounded && passes > 0 && parameters.split(',').count() == 3;
        (is_whole && kind.context(HASH_BYTES).is_some()).then_some((kind, rest))
    }

    fn context(self, hash_bytes: usize) -> Option<Argon2<'static>> {
        let parameters = Params::new(self.memory_kib, self.passes, self.lanes, Some(hash_bytes)).ok()?;
        Some(Argon2::new(self.algorithm, self.version, parameters))
    }
}

/// A stored hash.
#[derive(Clone, Debug)]
pub(crate) struct ArgonHash {
    pub(crate) kind: ArgonKind,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl ArgonHash {
    /// Reads a PHC string.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = ArgonKind::parse(text)?;
        let (salt, hash) = rest.split_once('$')?;
        let bytes = |text: &str| {
            let bytes = STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
            (MIN_BYTES..=MAX_BYTES).contains(&bytes.len()).then_some(bytes)
        };
        Some(Self { kind, salt: bytes(salt)?, hash: bytes(hash)? })
    }

    /// A hash of no password, which takes the same work.
    pub(crate) fn dummy(kind: ArgonKind) -> Self {
        Self { kind, salt: vec![0x5a; SALT_BYTES], hash: vec![0xa5; HASH_BYTES] }
    }

    /// Hashes a password.
    pub(crate) fn make(password: &str, kind: ArgonKind) -> Result<Self, HashError> {
        let mut made = Self::dummy(kind);
        OsRng.try_fill_bytes(&mut made.salt).map_err(|_| HashError::Failed)?;
        made.hash = made.hash_of(password).ok_or(HashError::Failed)?;
        Ok(made)
    }

    /// Whether it is the hash of this password.
    pub(crate) fn matches(&self, password: &str) -> bool {
        self.hash_of(password).is_some_and(|hash| hash.ct_eq(&self.hash).into())
    }

    fn hash_of(&self, password: &str) -> Option<Vec<u8>> {
        let mut hash = vec![0; self.hash.len()];
        let context = self.kind.context(hash.len())?;
        context.hash_password_into(password.as_bytes(), &self.salt, &mut hash).ok()?;
        Some(hash)
    }

    /// The PHC string of a hash that was made here.
    pub(crate) fn to_text(&self) -> String {
        let ArgonKind { memory_kib, passes, lanes, .. } = self.kind;
        let (salt, hash) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(&self.hash));
        format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }
}
