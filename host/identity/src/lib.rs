//! Verifies bearer tokens and turns each into a [`Principal`], the caller that the rest of the host acts as.
//!
//! This crate never guesses an identity, accepts no token without a signature, and keeps no identity past its expiry. A
//! [`Principal`] has no public constructor: [`Verifier::verify`] makes one from a token, [`Principal::act_as`] makes one
//! from the service role, and [`Principal::from_stored`] restores one that a host stored. None of these compiles:
//!
//! ```compile_fail,E0451
//! # use behalf_identity::{Principal, Role};
//! let forged = Principal { role: Role::Service, subject: None, claims: "{}".into(), expires_at: None, acting: false, delegation: None };
//! ```
//! ```compile_fail,E0624
//! let forged = behalf_identity::Principal::service();
//! ```
//! ```compile_fail,E0277
//! let forged: behalf_identity::Principal = serde_json::from_str("{}").unwrap();
//! ```
//! ```
//! // The names are right: this does compile.
//! fn role(principal: &behalf_identity::Principal) -> behalf_identity::Role {
//!     principal.role()
//! }
//! ```

mod assertion;
mod claims;
mod delegation;
mod jwks;
mod mint;
mod principal;
mod verify;

pub use assertion::{AssertionError, AssertionKey, CallSubject};
pub use delegation::{Delegation, DelegationRecord, DelegationStore, DelegationToken};
pub use jwks::{JwksError, JwksSource};
pub use mint::{MintError, TokenRequest, mint_key, mint_token, new_secret, new_secrets_key};
pub use principal::{ActAsError, Principal, Role};
pub use verify::{Verifier, VerifierOptions, VerifyError};
