//! Who vouches for a plugin: an Ed25519 signature over the component's digest, its name, its version and its grants.

mod envelope;
mod judge;
mod key;
mod statement;

pub use envelope::{Envelope, EnvelopeError};
pub use judge::{Claim, SignatureError, Signatures};
pub use key::{KeyError, PublicKey, SigningKey};
pub use statement::Statement;
