//! Why a token is refused.

use behalf_problem::{Kind, Problem};
use thiserror::Error;

/// Why a token is refused. The messages are those that clients of the platform know.
#[derive(Clone, Debug, Error)]
pub enum VerifyError {
    /// No token was sent.
    #[error("Authorization header required")]
    Missing,
    /// The token has expired.
    #[error("Token has expired")]
    Expired,
    /// The token is for another audience.
    #[error("Invalid token audience")]
    Audience,
    /// The token is for another resource than the one it was sent to.
    #[error("Invalid token audience: the token is for another resource")]
    Resource,
    /// The token is invalid for another reason.
    #[error("Invalid token: {0}")]
    Invalid(&'static str),
    /// The session of the token has ended.
    #[error("Session from session_id claim in JWT does not exist")]
    SessionEnded,
    /// The `apikey` header holds neither of the project's keys.
    #[error("Invalid apikey: send the project's anon or service key")]
    ApiKey,
    /// The user of a delegation is banned or gone.
    #[error("Invalid token: the user of this delegation is suspended")]
    Suspended,
    /// Delegations cannot be looked up.
    #[error("delegations cannot be looked up right now; try again shortly")]
    DelegationsUnavailable,
    /// Sessions cannot be looked up.
    #[error("sessions cannot be looked up right now; try again shortly")]
    SessionsUnavailable,
    /// The public keys could not be fetched.
    #[error("the keys that verify tokens cannot be reached; try again shortly")]
    KeysUnavailable,
}

impl Problem for VerifyError {
    fn kind(&self) -> Kind {
        match self {
            Self::DelegationsUnavailable | Self::SessionsUnavailable | Self::KeysUnavailable => Kind::Unavailable,
            _ => Kind::Unauthorized,
        }
    }
}
