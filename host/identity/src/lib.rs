//! Verifies bearer tokens and turns each into a [`Principal`], the caller that the rest of the host acts as.
//!
//! This crate never guesses an identity, accepts no token without a signature, and keeps no identity past its expiry. A
//! [`Principal`] has no public constructor, and no data becomes one by itself: [`Verifier::verify`] makes one from a token or a
//! delegation, [`Verifier::act_as`] makes one from the service role, and [`PrincipalSeal::restore_principal`] restores one that a
//! host with the same secrets sealed. None of these compiles:
//!
//! ```compile_fail,E0451
//! # use behalf_identity::{Principal, Role};
//! let forged = Principal { role: Role::Service, subject: None, claims: "{}".into(), expires_at: None, issued_at: None, acting: false, delegation: None };
//! ```
//! ```compile_fail,E0624
//! let forged = behalf_identity::Principal::service();
//! ```
//! ```compile_fail,E0277
//! let forged: behalf_identity::Principal = serde_json::from_str("{}").unwrap();
//! ```
//! ```compile_fail,E0624
//! let forged = behalf_identity::Principal::from_text("{}");
//! ```
//! ```compile_fail,E0624
//! let forged = behalf_identity::PrincipalSeal::new([&b"a secret of my own"[..]]);
//! ```
//! ```compile_fail,E0624
//! # fn f(service: &behalf_identity::Principal, user: uuid::Uuid) {
//! let acting = service.act_as(user, &behalf_identity::UserClaims::default(), "authenticated", behalf_identity::SubjectForm::Ours);
//! # }
//! ```
//! ```compile_fail,E0451
//! # use behalf_identity::{UserClaims, VerifiedClaims};
//! let forged = VerifiedClaims { user: uuid::Uuid::nil(), claims: UserClaims::default(), issued_at: 0 };
//! ```
//! ```
//! // The names are right: this does compile.
//! use behalf_identity::{ActAsError, Principal, Role, UserClaims, VerifiedClaims, Verifier};
//! fn role(principal: &Principal) -> Role {
//!     principal.role()
//! }
//! fn acting(verifier: &Verifier, service: &Principal, user: uuid::Uuid) -> Result<Principal, ActAsError> {
//!     verifier.act_as(service, user, &UserClaims::default())
//! }
//! fn restored(verifier: &Verifier, stored: &serde_json::Value) -> Option<Principal> {
//!     verifier.seal().restore_principal("a run", stored)
//! }
//! fn kept(principal: &Principal) -> Option<VerifiedClaims> {
//!     principal.verified_claims()
//! }
//! ```

mod assertion;
mod caller_key;
mod claims;
mod delegation;
mod id_token;
mod issuer;
mod jwks;
mod key_set;
mod local_keys;
mod mapped;
mod mint;
mod principal;
mod principal_seal;
mod session;
mod signature;
mod signer;
mod signing_key;
mod verify;
mod verify_error;

pub use assertion::{AssertionError, AssertionKey, CallSubject};
pub use caller_key::CallerKey;
pub use claims::{ClaimsError, UserClaims, VerifiedClaims};
pub use delegation::{Delegation, DelegationRecord, DelegationStore, DelegationToken, FoundDelegation};
pub use id_token::{IdToken, IdTokenError, IdTokenVerifier, ProviderKeys};
pub use issuer::{IssuerError, IssuerOptions, Issuers, SubjectKind};
pub use jwks::{JwksError, JwksSource};
pub use local_keys::LocalKeys;
pub use mapped::{SubjectForm, user_id};
pub use mint::{MintError, TokenRequest, mint_key, mint_token, new_secret, new_secrets_key};
pub use principal::{ActAsError, Principal, Role};
pub use principal_seal::PrincipalSeal;
pub use session::SessionStore;
pub use signer::TokenSigner;
pub use signing_key::{KeyStatus, SigningAlgorithm, SigningKey, SigningKeyError};
pub use verify::{PreviousKeys, Verifier, VerifierOptions};
pub use verify_error::VerifyError;
