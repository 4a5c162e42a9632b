use thiserror::Error;

use super::envelope::{Envelope, EnvelopeError};
use super::key::{KeyError, PublicKey};
use super::statement::Statement;
use crate::sandbox::Grants;

/// Whose signatures count on this host, and whether a plugin needs one.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    keys: Vec<PublicKey>,
    required: bool,
}

/// What is to be registered, or is: a signature has to fit exactly this.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// SHA-256 of the component as the host keeps it.
    pub digest: [u8; 32],
    /// The plugin's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// What it is to be granted.
    pub grants: &'a Grants,
}

/// Why a plugin's signature does not do.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// It is not of the documented form.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// There is none.
    #[error("this host takes signed plugins only; sign it with `behalf tool sign` and send the field `signature`")]
    Missing,
    /// None of the keys signed it.
    #[error("the signature was not made with a key that this host trusts, or it was changed since")]
    Untrusted,
    /// It vouches for other bytes.
    #[error("the signature is for the component {signed:?}, not for {given}")]
    Component {
        /// Digest in the statement.
        signed: String,
        /// Digest of the component.
        given: String,
    },
    /// It vouches for another name or version.
    #[error("the signature is for {signed}, not for {given}")]
    Identity {
        /// Name and version in the statement.
        signed: String,
        /// Name and version given.
        given: String,
    },
    /// More is to be granted than the publisher vouches for.
    #[error("the grants go beyond what was signed: {0}; grant the same or less, or have it signed again")]
    Grants(&'static str),
}

impl Signatures {
    /// Reads the keys that the settings name.
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

    /// Whether a plugin needs one.
    pub fn required(&self) -> bool {
        self.required
    }

    /// How many keys count.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The key that vouches for a plugin. None where no signature is required and there is none, or no key to check it
    /// with; a signature that can be checked has to be right even where it is not required.
    pub fn judge(&self, envelope: Option<&Envelope>, claim: Claim<'_>) -> Result<Option<PublicKey>, SignatureError> {
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
    /// Whether it vouches for exactly this component under this name and version, and for at least these grants. Fewer
    /// grants are fine: an operator who gives less than the publisher asks for takes no risk that the publisher did not.
    pub fn covers(&self, claim: Claim<'_>) -> Result<(), SignatureError> {
        let given = Self::digest(claim.digest);
        if self.digest != given {
            return Err(SignatureError::Component { signed: self.digest.chars().take(100).collect(), given });
        }
        if (self.name.as_str(), self.version.to_string().as_str()) != (claim.name, claim.version) {
            let text = |name: &str, version: &str| {
                format!(
                    "{:?} {:?}",
                    name.chars().take(100).collect::<String>(),
                    version.chars().take(100).collect::<String>()
                )
            };
            return Err(SignatureError::Identity {
                signed: text(&self.name, &self.version.to_string()),
                given: text(claim.name, claim.version),
            });
        }
        claim.grants.beyond(&self.grants).map_or(Ok(()), |what| Err(SignatureError::Grants(what)))
    }
}
