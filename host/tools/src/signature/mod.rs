//! Signatures of plugins: a publisher signs the component's digest, its name, its version and its grants with Ed25519.

mod envelope;
mod key;
mod policy;
mod statement;

pub use envelope::{Envelope, EnvelopeError};
pub use key::{KeyError, PublicKey, SigningKey};
pub use policy::{Claim, SignatureError, Signatures};
pub use statement::Statement;
