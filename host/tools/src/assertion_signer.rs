//! Signs assertions of who calls, with a key that this host makes at its start, publishes, and renews while it lives.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use behalf_identity::{AssertionError, AssertionKey, CallSubject, Principal};
use behalf_jobs::{Jobs, Next};
use behalf_problem::LogText as _;
use behalf_sandbox::CallError;
use futures::future::BoxFuture;
use thiserror::Error;

use crate::call_failure::failed;
use crate::store::AssertionKeyStore;

/// How often the key's row is renewed; it is valid for several of these periods.
const RENEW: Duration = Duration::from_mins(2);

/// Why a host cannot sign assertions.
#[derive(Debug, Error)]
pub enum SignerError {
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] AssertionError),
    /// The key could not be published, so nobody could check what it signs.
    #[error("the host's public key cannot be published")]
    Publish(#[from] sqlx::Error),
}

/// Tells custom tools and MCP servers who calls. Clones share one key.
#[derive(Clone, Debug)]
pub struct AssertionSigner {
    store: AssertionKeyStore,
    key: Arc<OnceLock<AssertionKey>>,
}

impl AssertionSigner {
    /// Has no key yet; until [`AssertionSigner::start`], tools that need an assertion are not called.
    pub(crate) fn new(store: AssertionKeyStore) -> Self {
        Self { store, key: Arc::default() }
    }

    /// Makes the key of the host that is reached at `issuer`, publishes it, and starts the job that renews it.
    pub fn start<'a>(&'a self, issuer: &'a str, jobs: &'a Jobs) -> BoxFuture<'a, Result<(), SignerError>> {
        Box::pin(async move {
            let key = AssertionKey::generate(issuer)?;
            self.store.publish(key.kid(), key.jwk()).await?;
            if self.key.set(key).is_err() {
                return Ok(());
            }
            let signer = self.clone();
            jobs.every("assertion-key", RENEW, move || {
                let signer = signer.clone();
                async move { signer.renew().await }
            });
            Ok(())
        })
    }

    /// The public keys of all hosts of this database (RFC 7517).
    pub(crate) async fn published(&self) -> Result<Vec<serde_json::Value>, sqlx::Error> {
        self.store.valid().await
    }

    /// Says, for a minute and to one origin, who makes a call.
    pub(crate) fn sign(&self, principal: &Principal, call: CallSubject<'_>) -> Result<String, CallError> {
        let key = self.key.get().ok_or_else(no_key)?;
        key.sign(principal, call).map_err(|error| {
            tracing::error!(error = error.log_text(), "an assertion cannot be signed");
            no_key()
        })
    }

    async fn renew(&self) -> Result<Next, sqlx::Error> {
        let Some(key) = self.key.get() else { return Ok(Next::End) };
        match self.store.publish(key.kid(), key.jwk()).await {
            Ok(()) => Ok(Next::Continue),
            Err(sqlx::Error::PoolClosed) => Ok(Next::End),
            Err(error) => Err(error),
        }
    }
}

/// The failure of a call for which no assertion can be signed.
pub(crate) fn no_key() -> CallError {
    failed("host_unavailable", "this host cannot say who calls right now; try again shortly", true)
}
