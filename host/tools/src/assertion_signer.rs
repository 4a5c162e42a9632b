//! Signs assertions of who calls, with a key that this host makes at its start, publishes, and renews while it lives.
//!
//! Servers keep the set of public keys for a while. A key signs only once no server can have a set without it: the host
//! publishes the key at its start and waits. Until then `/readyz` sends callers to the other hosts, if there are any, and
//! calls that need an assertion wait.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use behalf_identity::{AssertionError, AssertionKey, CallSubject, Principal};
use behalf_jobs::{Jobs, Next};
use behalf_problem::LogText as _;
use behalf_sandbox::{CallError, CallSigner};
use futures::future::BoxFuture;
use thiserror::Error;
use uuid::Uuid;

use crate::call_failure::failed;
use crate::store::{ASSERTION_KEY_LIFETIME, AssertionKeyStore, Published};

/// How often the key's row is renewed; it is valid for several of these periods.
const RENEW: Duration = Duration::from_mins(2);

/// What a server's request for the key set, and its clock, may take beside the time that it keeps the set.
const MARGIN: Duration = Duration::from_secs(5);

/// Before a key that could not be renewed expires, it signs nothing that would be valid for longer.
const LAST_SIGNATURE: Duration = Duration::from_mins(2);

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
    published: Arc<OnceLock<PublishedKey>>,
}

/// A key that servers can get.
#[derive(Debug)]
struct PublishedKey {
    key: AssertionKey,
    /// How long servers may keep the key set.
    cache: Duration,
    use_of: Mutex<Use>,
}

/// When a key may be used.
#[derive(Clone, Copy, Debug)]
struct Use {
    from: Instant,
    until: Instant,
    /// Whether another host can make the calls that have to wait here.
    others_serve: bool,
}

impl Use {
    /// What follows from the answer of the database to a request that began at `asked`.
    fn new(asked: Instant, published: Published) -> Self {
        let wait = Duration::try_from_secs_f64(published.wait_seconds).unwrap_or_default();
        Self {
            from: Instant::now() + wait,
            until: asked + ASSERTION_KEY_LIFETIME.saturating_sub(LAST_SIGNATURE),
            others_serve: published.others_serve && published.has_servers,
        }
    }
}

impl PublishedKey {
    fn usable(&self) -> Use {
        *self.use_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the key is published before it signs.
    fn lead(cache: Duration) -> Duration {
        if cache.is_zero() { Duration::ZERO } else { cache.saturating_add(MARGIN) }
    }
}

impl AssertionSigner {
    /// Has no key yet; until [`AssertionSigner::start`], tools that need an assertion are not called.
    pub(crate) fn new(store: AssertionKeyStore) -> Self {
        Self { store, published: Arc::default() }
    }

    /// Makes the key of the host that is reached at `issuer`, publishes it, and starts the job that renews it. Servers may
    /// keep the key set for `cache`.
    pub fn start<'a>(
        &'a self,
        issuer: &'a str,
        cache: Duration,
        jobs: &'a Jobs,
    ) -> BoxFuture<'a, Result<(), SignerError>> {
        Box::pin(async move {
            let key = AssertionKey::generate(issuer)?;
            let asked = Instant::now();
            let published = self.store.publish(key.kid(), key.jwk(), PublishedKey::lead(cache)).await?;
            let use_of = Mutex::new(Use::new(asked, published));
            if self.published.set(PublishedKey { key, cache, use_of }).is_err() {
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

    /// The public keys of all hosts of this database (RFC 7517), and how long they may be kept.
    pub(crate) async fn published(&self) -> Result<(Vec<serde_json::Value>, Duration), sqlx::Error> {
        let cache = self.published.get().map(|published| published.cache).unwrap_or_default();
        Ok((self.store.valid().await?, cache))
    }

    /// How long this host should get no calls, because it cannot say yet who makes them and another host can.
    pub fn wait_while_others_serve(&self) -> Option<Duration> {
        let usable = self.published.get()?.usable();
        let wait = usable.from.saturating_duration_since(Instant::now());
        (usable.others_serve && !wait.is_zero()).then_some(wait)
    }

    /// Says, for a minute and to one origin, who makes a call. Waits until servers know the key.
    pub(crate) async fn sign(&self, principal: &Principal, call: CallSubject<'_>) -> Result<String, CallError> {
        let published = self.published.get().ok_or_else(no_key)?;
        tokio::time::sleep_until(published.usable().from.into()).await;
        if published.usable().until <= Instant::now() {
            tracing::error!("no assertion is signed, because the key could not be renewed for minutes");
            return Err(no_key());
        }
        published.key.sign(principal, call).map_err(|error| {
            tracing::error!(error = error.log_text(), "an assertion cannot be signed");
            no_key()
        })
    }

    /// Says that this host signs nothing more. Its key stays published until nobody accepts what it signed.
    pub async fn retire(&self) {
        let Some(published) = self.published.get() else { return };
        if let Err(error) = self.store.retire(published.key.kid()).await {
            tracing::warn!(error = error.log_text(), "the host's public key stays published until it expires");
        }
    }

    async fn renew(&self) -> Result<Next, sqlx::Error> {
        let Some(published) = self.published.get() else { return Ok(Next::End) };
        let (key, asked) = (&published.key, Instant::now());
        match self.store.publish(key.kid(), key.jwk(), PublishedKey::lead(published.cache)).await {
            Ok(answer) => {
                *published.use_of.lock().unwrap_or_else(PoisonError::into_inner) = Use::new(asked, answer);
                Ok(Next::Continue)
            }
            Err(sqlx::Error::PoolClosed) => Ok(Next::End),
            Err(error) => Err(error),
        }
    }
}

/// Tells the servers that a plugin asks who makes one call.
#[derive(Debug)]
pub(crate) struct CallAssertions {
    pub(crate) signer: AssertionSigner,
    pub(crate) principal: Arc<Principal>,
    pub(crate) agent: Option<Uuid>,
    pub(crate) call_id: Uuid,
}

impl CallSigner for CallAssertions {
    fn sign<'a>(&'a self, origin: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            let call = CallSubject { audience: origin, agent: self.agent, call_id: self.call_id };
            self.signer.sign(&self.principal, call).await.ok()
        })
    }
}

/// The failure of a call for which no assertion can be signed.
pub(crate) fn no_key() -> CallError {
    failed("host_unavailable", "this host cannot say who calls right now; try again shortly", true)
}
