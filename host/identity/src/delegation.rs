//! Delegations: permissions of a user for a service to run one agent in their name, and the tokens that stand for them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use rand::TryRngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::claims::UserClaims;
use super::mint::MintError;

/// Prefix of every delegation's token, so that scanners find leaked ones and nothing mistakes one for a JWT.
const PREFIX: &str = "bhd_";

/// The permission that a user gave a service: to run one agent in their name, with at most these tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The delegation's id.
    pub id: Uuid,
    /// The one agent that may be run.
    pub agent: Uuid,
    /// The tools the agent may use in such a run; all of its tools where absent.
    pub tools: Option<Vec<String>>,
}

impl Delegation {
    /// Whether a run under it may call the tool of this name.
    pub fn allows_tool(&self, name: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(|tool| tool == name))
    }

    /// The actor's name in the audit log and in the bound claims.
    pub fn actor(&self) -> String {
        format!("delegation:{}", self.id)
    }
}

/// A valid delegation, as its store returns it. Only a verifier makes a caller of it.
#[derive(Clone, Debug)]
pub struct DelegationRecord {
    /// The permission.
    pub delegation: Delegation,
    /// The user who gave it.
    pub user: Uuid,
    /// The claims that the user's own token had, when they gave it or began a run afterwards.
    pub claims: UserClaims,
    /// Its expiry, in seconds since 1970.
    pub expires_at: i64,
}

/// What a store knows of a delegation's token.
#[derive(Clone, Debug)]
pub enum FoundDelegation {
    /// The delegation is valid.
    Valid(DelegationRecord),
    /// The delegation is valid, but its user is banned or gone. The ban may end, so nobody may remember this answer.
    Suspended,
    /// No delegation has this token, or it is revoked or expired. This never changes, so the answer may be remembered.
    Over,
}

/// Looks delegations up. A trait, because this crate knows no database; the feature that owns the table implements it.
pub trait DelegationStore: std::fmt::Debug + Send + Sync {
    /// Finds the delegation whose token has this hash, and counts the use where it is valid.
    fn find(
        &self,
        token_sha256: [u8; 32],
    ) -> BoxFuture<'_, Result<FoundDelegation, Box<dyn std::error::Error + Send + Sync>>>;
}

/// A new delegation's token, shown once, and its hash, which is stored.
#[derive(Clone)]
pub struct DelegationToken {
    text: String,
    sha256: [u8; 32],
}

impl DelegationToken {
    /// Makes a token of 32 random bytes. Nobody can guess those, so a plain SHA-256 protects the stored hash.
    pub fn make() -> Result<Self, MintError> {
        let mut bytes = [0_u8; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| MintError::Random)?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let sha256 = Sha256::digest(text.as_bytes()).into();
        Ok(Self { text, sha256 })
    }

    /// The token itself, for the one response that shows it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the token.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}

impl std::fmt::Debug for DelegationToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DelegationToken(…)")
    }
}

/// Whether a bearer token has the form of a delegation's.
pub(super) fn is_delegation(token: &str) -> bool {
    token.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_its_prefix_and_does_not_print() {
        let (one, two) = (DelegationToken::make().expect("a token"), DelegationToken::make().expect("a token"));
        assert!(is_delegation(one.expose()) && one.expose().len() == 47 && one.sha256() != two.sha256());
        assert_eq!(format!("{one:?}"), "DelegationToken(…)");
    }

    #[test]
    fn an_empty_list_of_tools_allows_none_and_no_list_all() {
        let mut delegation = Delegation { id: Uuid::nil(), agent: Uuid::nil(), tools: None };
        assert!(delegation.allows_tool("echo"));
        delegation.tools = Some(Vec::new());
        assert!(!delegation.allows_tool("echo"));
        delegation.tools = Some(vec!["echo".to_owned()]);
        assert!(delegation.allows_tool("echo") && !delegation.allows_tool("ech") && !delegation.allows_tool("echo2"));
    }
}
