//! Who is calling. Owns the way from a bearer token to a [`Principal`].
//!
//! Imports no room. Never does: guess an identity, accept one without a signature, keep one past its expiry. A
//! [`Principal`] has no public constructor; [`Verifier::verify`] and [`Principal::act_as`] are the only ways to one.

mod claims;
mod jwks;
mod mint;
mod principal;
mod verify;

pub use jwks::{JwksError, JwksSource};
pub use mint::{MintError, TokenRequest, mint_key, mint_token, new_secret};
pub use principal::{ActAsError, Principal, Role};
pub use verify::{Verifier, VerifierOptions, VerifyError};
