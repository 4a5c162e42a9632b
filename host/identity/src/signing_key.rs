//! A key pair of this project that signs access tokens.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey};
use thiserror::Error;
use uuid::Uuid;

/// Why a key cannot be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SigningKeyError {
    /// The operating system gave no random numbers, or the library made no key.
    #[error("no signing key can be made")]
    Make,
    /// The stored text is no private key of its algorithm.
    #[error("the stored signing key cannot be read")]
    Read,
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// ECDSA on the curve P-256.
    Es256,
    /// RSA with PKCS #1 v1.5.
    Rs256,
}

impl SigningAlgorithm {
    /// The name in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Es256, Self::Rs256].into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    fn in_tokens(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

/// What a key is used for at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// Published, so that others know it before it signs.
    Standby,
    /// It signs.
    Current,
    /// It signs no longer, and its tokens are accepted until they end.
    Previous,
    /// Its tokens are refused.
    Revoked,
}

impl KeyStatus {
    /// The name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Revoked => "revoked",
        }
    }

    /// The status of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Standby, Self::Current, Self::Previous, Self::Revoked].into_iter().find(|one| one.as_str() == name)
    }
}

/// A key pair that signs access tokens.
#[derive(Clone)]
pub struct SigningKey {
    id: Uuid,
    algorithm: SigningAlgorithm,
    pem: String,
    private: EncodingKey,
    public: Jwk,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, {})", self.id, self.algorithm.as_str())
    }
}

impl SigningKey {
    /// Makes a new key pair.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, SigningKeyError> {
        let der = match algorithm {
            SigningAlgorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| Ok(pair.to_pkcs8v1()?.as_ref().to_vec()))
                .map_err(|_| SigningKeyError::Make)?,
            SigningAlgorithm::Rs256 => aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map(|der| der.as_ref().to_vec()))
                .map_err(|_| SigningKeyError::Make)?,
        };
        Self::read(Uuid::new_v4(), algorithm, pem(&der))
    }

    /// Reads the private key that [`Self::private_pem`] wrote. The public key is made of it, so nothing else has to be trusted.
    pub fn read(id: Uuid, algorithm: SigningAlgorithm, pem: String) -> Result<Self, SigningKeyError> {
        let private = match algorithm {
            SigningAlgorithm::Es256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            SigningAlgorithm::Rs256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        let private = private.map_err(|_| SigningKeyError::Read)?;
        let mut public = Jwk::from_encoding_key(&private, algorithm.in_tokens()).map_err(|_| SigningKeyError::Read)?;
        public.common.key_id = Some(id.to_string());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { id, algorithm, pem, private, public })
    }

    /// The key's id, `kid` of its tokens.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// The private key, to be encrypted before it is stored.
    pub fn private_pem(&self) -> &str {
        &self.pem
    }

    /// The public key (RFC 7517).
    pub fn public_jwk(&self) -> &Jwk {
        &self.public
    }

    pub(super) fn signer(&self) -> (Algorithm, EncodingKey) {
        (self.algorithm.in_tokens(), self.private.clone())
    }
}

/// A private key in PKCS #8 as text (RFC 7468).
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}
