//! Encrypts secrets at rest, with AES-256-GCM and a key that the database never sees.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// Why a secret cannot be encrypted or decrypted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// No key is set. Clients read this, so it names no setting.
    #[error("this host has no key that encrypts secrets, so it stores none; its operator sets one")]
    NoKey,
    /// The setting holds no key.
    #[error("it must be 32 bytes as 64 hexadecimal digits or in base64; `behalf keys` makes one")]
    Form,
    /// The secret was encrypted with a key that is not set here or for another row, or it was changed.
    #[error("a stored secret cannot be opened with the keys of this host; its operator can store it again")]
    Closed,
}

/// An encrypted secret as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the key that encrypted it.
    pub key_id: String,
    /// The nonce of the encryption.
    pub nonce: Vec<u8>,
    /// The ciphertext with its authentication tag.
    pub bytes: Vec<u8>,
}

/// Encrypts and decrypts secrets.
#[derive(Debug, Default)]
pub struct Sealer {
    /// The first key encrypts; all of them decrypt.
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: String,
    cipher: RandomizedNonceKey,
}

impl Sealer {
    /// Reads the current key and earlier ones, which commas separate. Without a key, [`Sealer::seal`] fails.
    pub fn new(current: Option<&str>, previous: Option<&str>) -> Result<Self, SealError> {
        if current.is_none() && previous.is_some() {
            return Err(SealError::NoKey);
        }
        let previous = previous.into_iter().flat_map(|keys| keys.split(','));
        let keys = current.into_iter().chain(previous).map(Key::parse).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// Whether there is a key that encrypts.
    pub fn can_seal(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether the current key encrypted this secret.
    pub fn is_current(&self, stored: &Sealed) -> bool {
        self.keys.first().is_some_and(|key| key.id == stored.key_id)
    }

    /// Encrypts a secret for one row: [`Sealer::open`] needs the same `row`.
    pub fn seal(&self, row: &[u8], secret: &str) -> Result<Sealed, SealError> {
        let key = self.keys.first().ok_or(SealError::NoKey)?;
        let mut sealed = secret.as_bytes().to_vec();
        let nonce = key.cipher.seal_in_place_append_tag(Aad::from(row), &mut sealed).map_err(|_| SealError::Closed)?;
        Ok(Sealed { key_id: key.id.clone(), nonce: nonce.as_ref().to_vec(), bytes: sealed })
    }

    /// Decrypts a secret that was encrypted for this row.
    pub fn open(&self, row: &[u8], stored: &Sealed) -> Result<String, SealError> {
        let key = self.keys.iter().find(|key| key.id == stored.key_id).ok_or(SealError::Closed)?;
        let nonce = Nonce::try_assume_unique_for_key(&stored.nonce).map_err(|_| SealError::Closed)?;
        let mut bytes = stored.bytes.clone();
        let opened = key.cipher.open_in_place(nonce, Aad::from(row), &mut bytes).map_err(|_| SealError::Closed)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SealError::Closed)
    }
}

impl Key {
    fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        let bytes = hex::decode(text)
            .or_else(|_| STANDARD.decode(text))
            .or_else(|_| URL_SAFE_NO_PAD.decode(text))
            .map_err(|_| SealError::Form)?;
        if bytes.len() != KEY_BYTES {
            return Err(SealError::Form);
        }
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::Form)?;
        // An id that reveals nothing of the key.
        let name = Sha256::new().chain_update(b"behalf secrets key\0").chain_update(&bytes).finalize();
        Ok(Self { id: hex::encode(name).chars().take(16).collect(), cipher })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        hex::encode([byte; KEY_BYTES])
    }

    #[test]
    fn a_secret_opens_for_its_own_row_under_its_own_key_only() {
        let old = Sealer::new(Some(&key(1)), None).expect("a key");
        let sealed = old.seal(b"row a", "sk-secret").expect("it seals");
        assert!(!sealed.bytes.windows(6).any(|part| part == b"secret"));
        assert_eq!(old.open(b"row a", &sealed).as_deref(), Ok("sk-secret"));
        assert_eq!(old.open(b"row b", &sealed), Err(SealError::Closed));
        let mut changed = sealed.clone();
        changed.bytes[0] ^= 1;
        assert_eq!(old.open(b"row a", &changed), Err(SealError::Closed));
        let rotated = Sealer::new(Some(&STANDARD.encode([2; KEY_BYTES])), Some(&key(1))).expect("keys");
        assert_eq!(rotated.open(b"row a", &sealed).as_deref(), Ok("sk-secret"));
        assert!(old.is_current(&sealed) && !rotated.is_current(&sealed));
        assert!(rotated.is_current(&rotated.seal(b"row a", "sk-secret").expect("it seals")));
        let twice = format!("{},{}", key(4), key(1));
        let twice = Sealer::new(Some(&key(2)), Some(&twice)).expect("keys");
        assert_eq!(twice.open(b"row a", &sealed).as_deref(), Ok("sk-secret"), "a key from before the last one");
        let other = Sealer::new(Some(&key(3)), None).expect("a key");
        assert_eq!(other.open(b"row a", &sealed), Err(SealError::Closed));
        assert_ne!(old.seal(b"row a", "sk-secret").map(|again| again.nonce), Ok(sealed.nonce));
    }

    #[test]
    fn a_key_has_32_bytes_and_does_not_print() {
        for bad in ["", "short", &hex::encode([1; 31]), &hex::encode([1; 33])] {
            assert!(matches!(Sealer::new(Some(bad), None), Err(SealError::Form)), "{bad}");
        }
        assert_eq!(Sealer::default().seal(b"", "x"), Err(SealError::NoKey));
        assert!(Sealer::new(None, Some(&key(1))).is_err());
        let shown = format!("{:?}", Sealer::new(Some(&key(0xab)), None));
        assert!(!shown.contains("abab") && !shown.contains("171, 171"), "{shown}");
    }
}
