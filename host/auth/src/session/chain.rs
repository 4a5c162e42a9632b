//! Refresh tokens of a session. Each follows from the one before it and the session's key, so that two hosts that are asked to
//! refresh the same token give the same answer, and a client whose answer was lost gets it again. Neither is enough alone: the
//! table has the key and hashes of tokens, and a thief of an old token has no key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};

use crate::error::AuthError;
use crate::store::refresh_tokens::stored;

/// Bytes of a key and of a token. A block of SHA-256 is twice as long.
const BYTES: usize = 32;
const BLOCK: usize = 64;

/// How many refreshes a client may lag behind within the time of grace.
const MAX_STEPS: usize = 32;

/// A key for a session.
pub(super) fn new_key() -> Result<String, AuthError> {
    random()
}

/// A token that follows from no other.
pub(super) fn first() -> Result<String, AuthError> {
    random()
}

fn random() -> Result<String, AuthError> {
    let mut bytes = [0_u8; BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| AuthError::internal(&error))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The token that follows.
pub(super) fn next(key: &str, token: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac(key.as_bytes(), token.as_bytes()))
}

/// The token whose row has this `hash`, if it follows from `token` in a few steps.
pub(super) fn follow(key: &str, token: &str, hash: &str) -> Option<String> {
    std::iter::successors(Some(next(key, token)), |token| Some(next(key, token)))
        .take(MAX_STEPS)
        .find(|token| stored(token) == hash)
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; BYTES] {
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block.iter_mut().zip(Sha256::digest(key)).for_each(|(block, byte)| *block = byte);
    } else {
        block.iter_mut().zip(key).for_each(|(block, byte)| *block = *byte);
    }
    let inner = Sha256::new_with_prefix(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new_with_prefix(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second test case of RFC 4231, and the sixth, whose key is longer than a block.
    #[test]
    fn the_code_is_that_of_the_standard() {
        let (short, long) = (hmac(b"Jefe", b"what do ya want for nothing?"), [0xaa_u8; 131]);
        assert_eq!(hex::encode(short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = hmac(&long, b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex::encode(long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn a_client_that_lags_behind_finds_the_last_token_and_nothing_else() {
        let key = new_key().expect("a key");
        let tokens: Vec<_> = std::iter::successors(first().ok(), |token| Some(next(&key, token))).take(5).collect();
        for lagging in &tokens[..4] {
            assert_eq!(follow(&key, lagging, &stored(&tokens[4])).as_ref(), Some(&tokens[4]));
        }
        assert_eq!(follow(&key, &tokens[4], &stored(&tokens[3])), None, "no way leads back");
        assert_eq!(follow("another key", &tokens[0], &stored(&tokens[1])), None);
    }
}
