//! Ed25519 keys of publishers, as PEM or in one line.

use std::fmt;
use std::path::PathBuf;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The bytes before the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// How the one-line form of a key begins.
const PREFIX: &str = "ed25519:";

/// Why a key cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key file {0}; a key is `ed25519:…` or the path of a PEM file")]
    Read(PathBuf, #[source] std::io::Error),
    /// The key is of another form or kind.
    #[error("{0} is no Ed25519 {1}; `behalf keys --signing FILE` makes a pair")]
    Form(String, &'static str),
    /// Signatures are required, and no key is trusted, so every signature would be refused.
    #[error("plugin_signatures is \"required\" and plugin_keys names no key, so no plugin could be registered")]
    None,
    /// No random numbers.
    #[error("the operating system gave no random numbers")]
    Random,
}

/// A publisher's key that a host trusts. Ed25519 only: nothing in a signature chooses how it is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads the keys of one item of `BEHALF_PLUGIN_KEYS`: `ed25519:` and 32 bytes in base64, or the path of a PEM file with one
    /// or more public keys.
    pub fn named(item: &str) -> Result<Vec<Self>, KeyError> {
        if let Some(text) = item.strip_prefix(PREFIX) {
            let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
            return Ok(vec![Self(bytes.ok_or_else(|| KeyError::Form(item.to_owned(), "public key"))?)]);
        }
        let text = std::fs::read(item).map_err(|error| KeyError::Read(PathBuf::from(item), error))?;
        let wrong = || KeyError::Form(item.to_owned(), "public key");
        let keys = pem::parse_many(text).map_err(|_| wrong())?;
        let read = |block: &pem::Pem| {
            let key = block.contents().strip_prefix(&SPKI[..]).filter(|_| block.tag() == "PUBLIC KEY");
            Ok(Self(key.and_then(|key| key.try_into().ok()).ok_or_else(wrong)?))
        };
        if keys.is_empty() { Err(wrong()) } else { keys.iter().map(read).collect() }
    }

    /// The key's SHA-256, as its id for people.
    pub fn id(&self) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(self.der())))
    }

    /// The key in PEM, as other programs read it.
    pub fn pem(&self) -> String {
        pem_text("PUBLIC KEY", self.der())
    }

    /// Whether this key signed the message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    fn der(&self) -> Vec<u8> {
        [&SPKI[..], &self.0].concat()
    }
}

/// Writes the one-line form, as `BEHALF_PLUGIN_KEYS` takes it.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A publisher's private key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// Makes a new key.
    pub fn generate() -> Result<Self, KeyError> {
        Ed25519KeyPair::generate().ok().and_then(Self::of).ok_or(KeyError::Random)
    }

    /// Reads PKCS#8 in PEM. An error names the key as `name`.
    pub fn from_pem(name: &str, text: &[u8]) -> Result<Self, KeyError> {
        let wrong = || KeyError::Form(name.to_owned(), "private key in PKCS#8");
        let block = pem::parse(text).ok().filter(|block| block.tag() == "PRIVATE KEY").ok_or_else(wrong)?;
        // OpenSSL writes the first version of the form, without the public key to check against.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(block.contents()).ok().and_then(Self::of).ok_or_else(wrong)
    }

    fn of(pair: Ed25519KeyPair) -> Option<Self> {
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair, public })
    }

    /// The private key as PKCS#8 in PEM, as OpenSSL writes and reads it. It is a secret.
    pub fn pem(&self) -> Result<String, KeyError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| KeyError::Random)?;
        Ok(pem_text("PRIVATE KEY", der.as_ref().to_vec()))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public)
    }
}

fn pem_text(tag: &str, der: Vec<u8>) -> String {
    pem::encode_config(&pem::Pem::new(tag, der), pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl genpkey -algorithm ed25519`, and its public half with `openssl pkey -pubout`.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBtf4zg/V+xP88mvr0ZBvlTT8S3VEU4hOfw0KkufZeDx\n-----END PRIVATE KEY-----\n";
    const OPENSSL_PUBLIC: &str = "ed25519:slqZZBo6LnISieBQUp1mEG3LZU6/nOR3McOH0ryzERQ=";

    #[test]
    fn a_key_comes_back_from_its_files() {
        let key = SigningKey::generate().expect("key");
        let again = SigningKey::from_pem("it", key.pem().expect("pem").as_bytes()).expect("key");
        assert_eq!(again.public(), key.public());
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("both.pub");
        let other = SigningKey::generate().expect("key").public();
        std::fs::write(&path, format!("{}{}", key.public().pem(), other.pem())).expect("file");
        assert_eq!(PublicKey::named(path.to_str().expect("path")).expect("keys"), [key.public(), other]);
        assert_eq!(PublicKey::named(&other.to_string()).expect("key"), [other]);
    }

    #[test]
    fn keys_of_openssl_are_read() {
        let key = SigningKey::from_pem("it", OPENSSL.as_bytes()).expect("key");
        assert_eq!(key.public().to_string(), OPENSSL_PUBLIC);
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_name() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("key");
        std::fs::write(&path, OPENSSL).expect("file");
        let path = path.to_str().expect("path");
        // The secret half, half a key, a key in another alphabet, and no file at all.
        for item in [path, "ed25519:AAAA", "ed25519:slqZZBo6LnISieBQUp1mEG3LZU6_nOR3McOH0ryzERQ=", "/no/such.pub"] {
            let error = PublicKey::named(item).expect_err(item).to_string();
            assert!(error.contains(item), "{error}");
        }
        assert!(SigningKey::from_pem("it", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
    }
}
