//! Bcrypt hashes, which other servers made.

use subtle::ConstantTimeEq as _;

use crate::MAX_PASSWORD_BYTES;

/// The dearest hash that is checked; each further step doubles the time, and this one takes about a second.
pub(crate) const MAX_COST: u32 = 14;
/// The least cost of the algorithm.
pub(crate) const MIN_COST: u32 = 4;
/// Characters of the salt and of the hash after the prefix.
const SALT_AND_HASH: usize = 53;
/// Characters of `$2a$10$`.
const PREFIX: usize = 7;

/// The cost of a hash that begins like this, such as `$2a$10$`.
pub(crate) fn cost(text: &str) -> Option<u32> {
    let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let (digits, _) = rest.split_once('$')?;
    let cost = digits.parse().ok().filter(|_| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (MIN_COST..=MAX_COST).contains(&cost).then_some(cost)
}

/// Whether a text with such a prefix is a whole hash.
pub(crate) fn is_whole(text: &str) -> bool {
    let rest = text.as_bytes().get(PREFIX..).unwrap_or_default();
    rest.len() == SALT_AND_HASH && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'))
}

/// Whether it is the hash of this password. As everywhere, bytes beyond the 72nd do not count. No password holds a NUL, which the
/// algorithm takes for the end of the password and goes on behind it.
pub(crate) fn matches(password: &str, stored: &str) -> bool {
    let is_right = bcrypt::verify(read(password), stored).unwrap_or(false);
    let is_fit = u8::from(!password.is_empty() && !password.contains('\0'));
    (u8::from(is_right) & is_fit).ct_eq(&1).into()
}

/// Work of this cost for nobody.
pub(crate) fn waste(password: &str, cost: u32) {
    const SALT: [u8; 16] = [0x5a; 16];
    std::hint::black_box(bcrypt::hash_with_salt(read(password), cost, SALT).is_ok());
}

fn read(password: &str) -> &[u8] {
    password.as_bytes().get(..MAX_PASSWORD_BYTES).unwrap_or(password.as_bytes())
}
