//! Who is calling. Owns the way from a bearer token to a [`Principal`].
//!
//! Imports no room. Never does: guess an identity, accept one without a signature, keep one past its expiry. A
//! [`Principal`] has no public constructor; [`Verifier::verify`] and [`Principal::act_as`] are the only ways to one. None
//! of these compiles:
//!
//! ```compile_fail,E0451
//! # use behalf::identity::{Principal, Role};
//! let forged = Principal { role: Role::Service, subject: None, claims: "{}".into(), expires_at: None, acting: false, delegation: None };
//! ```
//! ```compile_fail,E0624
//! let forged = behalf::identity::Principal::service();
//! ```
//! ```compile_fail,E0277
//! let forged: behalf::identity::Principal = serde_json::from_str("{}").unwrap();
//! ```
//! ```compile_fail,E0624
//! // What acts for a caller is made from a principal, and by the database room alone.
//! let db = behalf::db::GuestDb::new();
//! ```
//! ```
//! // The names are right: this does compile.
//! fn role(principal: &behalf::identity::Principal) -> behalf::identity::Role {
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
