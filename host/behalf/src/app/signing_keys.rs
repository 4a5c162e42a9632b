//! Loads the keys that sign access tokens, and hears of their changes.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::{HostDb, SIGNING_KEYS_CHANNEL, Sealer, SigningKeyStore, StoreKeyError};
use behalf_identity::{LocalKeys, SigningAlgorithm};
use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use sqlx::postgres::PgListener;
use tokio::time::{Instant, timeout_at};

/// How often the host looks for changes that it was not told of.
const LOOK: Duration = Duration::from_secs(30);

/// The same while it cannot be told.
const LOOK_DEAF: Duration = Duration::from_secs(1);

/// What a host needs to use the keys of its database.
pub(super) struct KeyLoader {
    store: SigningKeyStore,
    db: HostDb,
    sealer: Arc<Sealer>,
    keys: Arc<LocalKeys>,
}

impl KeyLoader {
    /// Loads the keys into `keys`. With an `algorithm`, this host signs with it, and makes a first key where there is none.
    pub(super) async fn start(
        db: &HostDb,
        sealer: &Arc<Sealer>,
        keys: &Arc<LocalKeys>,
        algorithm: Option<SigningAlgorithm>,
        jobs: &Jobs,
    ) -> Result<(), StoreKeyError> {
        let loader = Self {
            store: SigningKeyStore::new(db.clone()),
            db: db.clone(),
            sealer: Arc::clone(sealer),
            keys: Arc::clone(keys),
        };
        if let Some(algorithm) = algorithm {
            loader.store.ensure_current(sealer, algorithm).await?;
        }
        loader.load().await?;
        match (algorithm, keys.signs_with()) {
            (Some(_), None) => return Err(behalf_host_db::SealError::Closed.into()),
            (Some(wanted), Some(present)) if wanted != present => tracing::warn!(
                wanted = wanted.as_str(),
                present = present.as_str(),
                "the key that signs is of another algorithm than the setting; `behalf auth keys add` and `promote` change that"
            ),
            _ => {}
        }
        jobs.spawn("signing-keys", |stop| async move { loader.keep_fresh(&stop).await });
        Ok(())
    }

    async fn load(&self) -> Result<(), StoreKeyError> {
        let loaded = self.store.load(&self.sealer).await?;
        if !loaded.closed.is_empty() {
            tracing::error!(
                keys = loaded.closed.len(),
                "signing keys open with no key of this host, so it refuses their tokens; set the key that encrypted them in BEHALF_SECRETS_KEY_PREVIOUS"
            );
        }
        self.keys.install(&loaded.keys, &loaded.revoked);
        Ok(())
    }

    async fn keep_fresh(&self, stop: &Stop) {
        let mut listener = None;
        loop {
            if listener.is_none() {
                listener = listen(&self.db).await.ok();
            }
            // After the listener began: what changed before nobody has heard of.
            if let Err(error) = self.load().await {
                tracing::warn!(
                    error = error.log_text(),
                    "the signing keys stay as they are; the host looks again soon"
                );
            }
            let until = Instant::now() + if listener.is_some() { LOOK } else { LOOK_DEAF };
            tokio::select! {
                () = stop.requested() => return,
                () = hear(&mut listener, until) => {}
            }
        }
    }
}

async fn listen(db: &HostDb) -> Result<PgListener, sqlx::Error> {
    let mut listener = db.listener().await?;
    listener.listen(SIGNING_KEYS_CHANNEL).await?;
    Ok(listener)
}

/// Waits for a notification, or until it is time to look. A listener that broke is gone afterwards.
async fn hear(listener: &mut Option<PgListener>, until: Instant) {
    let Some(listening) = listener else {
        tokio::time::sleep_until(until).await;
        return;
    };
    if let Ok(Ok(None) | Err(_)) = timeout_at(until, listening.try_recv()).await {
        *listener = None;
    }
}
