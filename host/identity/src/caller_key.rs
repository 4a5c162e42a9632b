//! Whose share of the host a piece of work uses.

use std::net::IpAddr;

use uuid::Uuid;

use super::principal::{Principal, Role};

/// A caller, as the host shares its places and connections between callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerKey {
    /// A user, whoever acts for them.
    User(Uuid),
    /// Callers without a user at this address.
    Address(IpAddr),
    /// Callers of this role of whom nothing more is known.
    Role(Role),
}

impl CallerKey {
    /// The key of a principal, who called from `client`. The address tells only callers without a user apart.
    pub fn new(principal: &Principal, client: Option<IpAddr>) -> Self {
        match (principal.subject(), client) {
            (Some(user), _) => Self::User(user),
            (None, Some(client)) if !principal.is_service() => Self::Address(client),
            (None, _) => Self::Role(principal.role()),
        }
    }
}
