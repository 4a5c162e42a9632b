//! Decides whether the signature of a plugin is sufficient on this host.

use behalf_problem::{Kind, Problem};
use behalf_sandbox::Grants;
use thiserror::Error;

use super::envelope::{Envelope, EnvelopeError};
use super::key::{KeyError, PublicKey};
use super::statement::Statement;
use crate::cut::cut;

/// The keys that this host trusts, and whether a plugin needs a signature.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    keys: Vec<PublicKey>,
    required: bool,
}

/// A plugin that is registered or to be registered. Its signature has to fit exactly this.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// SHA-256 of the component as the host keeps it.
    pub digest: [u8; 32],
    /// The plugin's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its grants.
    pub grants: &'a Grants,
}

/// Why a plugin's signature is not sufficient.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// The signature is not of the documented form.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The plugin has no signature.
    #[error("this host takes signed plugins only; sign it with `behalf tool sign` and send the field `signature`")]
    Missing,
    /// No trusted key made the signature.
    #[error("the signature was not made with a key that this host trusts, or it was changed since")]
    Untrusted,
    /// The statement is for another component.
    #[error("the signature is for the component {signed:?}, not for {given}")]
    Component {
        /// Digest in the statement.
        signed: String,
        /// Digest of the component.
        given: String,
    },
    /// The statement is for another name or version.
    #[error("the signature is for {signed}, not for {given}")]
    Identity {
        /// Name and version in the statement.
        signed: String,
        /// Name and version given.
        given: String,
    },
    /// The plugin is to be granted more than the publisher signed.
    #[error("the grants go beyond what was signed: {0}; grant the same or less, or have it signed again")]
    Grants(&'static str),
}

impl Problem for SignatureError {
    fn kind(&self) -> Kind {
        match self {
            Self::Envelope(_) => Kind::BadRequest,
            _ => Kind::Forbidden,
        }
    }
}

impl Signatures {
    /// Reads the trusted keys: each item is `ed25519:…` or the path of a PEM file.
    pub fn load(keys: &[String], required: bool) -> Result<Self, KeyError> {
        let mut read: Vec<PublicKey> = Vec::new();
        for item in keys {
            read.extend(PublicKey::named(item)?);
        }
        if required && read.is_empty() {
            return Err(KeyError::None);
        }
        Ok(Self { keys: read, required })
    }

    /// Whether a plugin needs a signature.
    pub fn required(&self) -> bool {
        self.required
    }

    /// The number of trusted keys.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Checks a plugin's signature and returns the key that made it. `None` where no signature is required, and there is either
    /// none or no key to check it with. A signature that can be checked has to be right even where none is required.
    pub fn verify(&self, envelope: Option<&Envelope>, claim: Claim<'_>) -> Result<Option<PublicKey>, SignatureError> {
        let Some(envelope) = envelope else {
            return if self.required { Err(SignatureError::Missing) } else { Ok(None) };
        };
        if self.keys.is_empty() {
            return Ok(None);
        }
        let (signer, statement) = envelope.verify(&self.keys)?.ok_or(SignatureError::Untrusted)?;
        statement.covers(claim)?;
        Ok(Some(signer))
    }
}

impl Statement {
    /// Whether the statement is for exactly this component under this name and version, and for at least these grants. Fewer
    /// grants are fine: an operator who grants less than the publisher asks for takes no risk that the publisher did not.
    pub fn covers(&self, claim: Claim<'_>) -> Result<(), SignatureError> {
        let given = Self::digest(claim.digest);
        if self.digest != given {
            return Err(SignatureError::Component { signed: cut(&self.digest, 100), given });
        }
        if (self.name.as_str(), self.version.to_string().as_str()) != (claim.name, claim.version) {
            let text = |name: &str, version: &str| format!("{:?} {:?}", cut(name, 100), cut(version, 100));
            return Err(SignatureError::Identity {
                signed: text(&self.name, &self.version.to_string()),
                given: text(claim.name, claim.version),
            });
        }
        claim.grants.exceeds(&self.grants).map_or(Ok(()), |what| Err(SignatureError::Grants(what)))
    }
}
