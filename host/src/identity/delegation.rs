use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use rand::TryRngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::mint::MintError;

/// What every delegation's token begins with, so that leaked ones are found by scanners and never taken for a JWT.
const PREFIX: &str = "bhd_";

/// What a user lets a service do in their name: run one agent, with at most these tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Its id.
    pub id: Uuid,
    /// The one agent that may be run.
    pub agent: Uuid,
    /// The tools the agent has in such a run; all of its own where absent.
    pub tools: Option<Vec<String>>,
}

impl Delegation {
    /// Whether a run under it may call the tool of this name.
    pub fn allows_tool(&self, name: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(|tool| tool == name))
    }

    /// Who acts, as the audit log and the bound claims say it.
    pub fn actor(&self) -> String {
        format!("delegation:{}", self.id)
    }
}

/// A delegation that stands, as its store knows it.
#[derive(Clone, Debug)]
pub struct DelegationRecord {
    /// What it allows.
    pub delegation: Delegation,
    /// In whose name.
    pub user: Uuid,
    /// When it ends, in seconds since 1970.
    pub expires_at: i64,
}

/// Where delegations are kept. A trait, because this room imports none: the database implements it.
pub trait DelegationStore: std::fmt::Debug + Send + Sync {
    /// The delegation whose token has this hash, if it is neither revoked nor over. Counts the use.
    fn find(
        &self,
        token_sha256: [u8; 32],
    ) -> BoxFuture<'_, Result<Option<DelegationRecord>, Box<dyn std::error::Error + Send + Sync>>>;
}

/// A new delegation's token, shown once, and the hash that is kept of it.
#[derive(Clone)]
pub struct DelegationToken {
    text: String,
    sha256: [u8; 32],
}

impl DelegationToken {
    /// 32 bytes of the operating system's randomness: nothing to guess, so a plain hash keeps it.
    pub fn make() -> Result<Self, MintError> {
        let mut bytes = [0_u8; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|_| MintError::Random)?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let sha256 = Sha256::digest(text.as_bytes()).into();
        Ok(Self { text, sha256 })
    }

    /// The token itself, for the one answer that shows it.
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

/// Whether a bearer token claims to be a delegation's.
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
