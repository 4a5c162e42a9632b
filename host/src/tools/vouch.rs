//! This host's key for assertions: made at its start, published, and renewed while the host lives.

use std::sync::{Arc, Weak};
use std::time::Duration;

use thiserror::Error;

use super::registry::Tools;
use crate::identity::{AssertionError, AssertionKey};

/// How often the key's row is renewed; it lasts for several of these.
const RENEW: Duration = Duration::from_mins(2);

/// Why a host cannot vouch for its callers.
#[derive(Debug, Error)]
pub enum VouchError {
    /// No key.
    #[error(transparent)]
    Key(#[from] AssertionError),
    /// It could not be published, so nobody could check what it signs.
    #[error("the host's public key cannot be published")]
    Publish(#[from] sqlx::Error),
}

impl Tools {
    /// From now on, custom tools and MCP servers are told who calls, by the host that is reached at `issuer`. Before, and on
    /// a host that never does this, they are not called.
    pub async fn vouch(self: &Arc<Self>, issuer: &str) -> Result<(), VouchError> {
        let key = AssertionKey::generate(issuer)?;
        self.db.publish_assertion_key(key.kid(), key.jwk()).await?;
        if self.key.set(Arc::new(key)).is_ok() {
            tokio::spawn(renew(Arc::downgrade(self)));
        }
        Ok(())
    }
}

async fn renew(tools: Weak<Tools>) {
    loop {
        tokio::time::sleep(RENEW).await;
        let Some(held) = tools.upgrade() else { return };
        let Some(key) = held.key.get() else { return };
        match held.db.publish_assertion_key(key.kid(), key.jwk()).await {
            Ok(()) => {}
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => tracing::warn!(error = %error, "cannot renew the host's public key; trying again"),
        }
    }
}
