//! Table `ai.signing_keys`: the keys that sign access tokens, with the private ones encrypted.

use behalf_identity::{KeyStatus, SigningAlgorithm, SigningKey, SigningKeyError};
use futures::future::BoxFuture;
use sqlx::FromRow;
use thiserror::Error;
use uuid::Uuid;

use crate::HostDb;
use crate::sealer::{SealError, Sealed, Sealer};
use crate::tx::HostTx;

/// The channel that tells of changes.
pub const SIGNING_KEYS_CHANNEL: &str = "behalf_signing_keys";

/// Why keys cannot be read or changed.
#[derive(Debug, Error)]
pub enum StoreKeyError {
    /// No key is set that encrypts the private key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The key cannot be made.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// There is no such key.
    #[error("there is no key {0}; `behalf auth keys` lists them")]
    Unknown(Uuid),
    /// The key does not sign and cannot be made to.
    #[error("key {0} is {1}; only a key on standby, or a previous one, can become the current one")]
    Status(Uuid, String),
    /// The database failed.
    #[error("the signing keys cannot be read or written; did `behalf migrate` run?")]
    Database(#[from] sqlx::Error),
}

/// A key as it is listed.
#[derive(Clone, Debug, FromRow)]
pub struct KeyRow {
    /// The key's id, `kid` of its tokens.
    pub id: Uuid,
    /// `ES256` or `RS256`.
    pub algorithm: String,
    /// `standby`, `current`, `previous` or `revoked`.
    pub status: String,
    /// When it was made.
    pub created_at: String,
    /// When its status last changed.
    pub changed_at: String,
}

/// What a host uses of the table.
#[derive(Clone, Debug, Default)]
pub struct LoadedKeys {
    /// The keys that open, by what they are used for.
    pub keys: Vec<(KeyStatus, SigningKey)>,
    /// Keys whose tokens are refused.
    pub revoked: Vec<Uuid>,
    /// Keys that no key of this host opens; their tokens are not accepted here.
    pub closed: Vec<Uuid>,
}

/// The private keys of a database, by the key that opens them.
#[derive(Clone, Debug, Default)]
pub struct SealedKeys {
    /// Encrypted with the current key.
    pub current: usize,
    /// Encrypted with an earlier key that is still set.
    pub previous: usize,
    /// Opened by no key that is set.
    pub closed: Vec<Uuid>,
}

#[derive(Debug, FromRow)]
struct StoredKey {
    id: Uuid,
    algorithm: String,
    status: String,
    key_id: Option<String>,
    nonce: Option<Vec<u8>>,
    sealed: Option<Vec<u8>>,
}

impl StoredKey {
    fn sealed(&self) -> Option<Sealed> {
        let (key_id, nonce, bytes) = (self.key_id.clone()?, self.nonce.clone()?, self.sealed.clone()?);
        Some(Sealed { key_id, nonce, bytes })
    }

    fn open(&self, sealer: &Sealer) -> Option<(KeyStatus, SigningKey)> {
        let (status, algorithm) = (KeyStatus::parse(&self.status)?, SigningAlgorithm::parse(&self.algorithm)?);
        let pem = sealer.open(&bound_to(self.id, algorithm), &self.sealed()?).ok()?;
        Some((status, SigningKey::read(self.id, algorithm, pem).ok()?))
    }
}

/// The keys of a database.
#[derive(Clone, Debug)]
pub struct SigningKeyStore {
    db: HostDb,
}

impl SigningKeyStore {
    /// The keys in `db`.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Reads every key and opens the private ones.
    pub fn load<'a>(&'a self, sealer: &'a Sealer) -> BoxFuture<'a, Result<LoadedKeys, StoreKeyError>> {
        Box::pin(async move {
            let mut tx = self.db.begin_as_host().await?;
            let rows = rows(&mut tx).await?;
            tx.commit().await?;
            let mut loaded = LoadedKeys::default();
            for row in rows {
                if row.status == KeyStatus::Revoked.as_str() {
                    loaded.revoked.push(row.id);
                } else if let Some(key) = row.open(sealer) {
                    loaded.keys.push(key);
                } else {
                    loaded.closed.push(row.id);
                }
            }
            Ok(loaded)
        })
    }

    /// Every key, the latest first.
    pub fn list(&self) -> BoxFuture<'_, Result<Vec<KeyRow>, StoreKeyError>> {
        Box::pin(async move {
            let mut tx = self.db.begin_as_host().await?;
            let rows = sqlx::query_as(
                "select id, algorithm, status,
                    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as created_at,
                    to_char(greatest(created_at, promoted_at, retired_at, revoked_at) at time zone 'UTC',
                        'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as changed_at
                 from ai.signing_keys order by ai.signing_keys.created_at desc, id",
            )
            .fetch_all(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(rows)
        })
    }

    /// Adds a new key on standby.
    pub fn add<'a>(
        &'a self,
        sealer: &'a Sealer,
        algorithm: SigningAlgorithm,
    ) -> BoxFuture<'a, Result<Uuid, StoreKeyError>> {
        Box::pin(async move {
            let mut tx = self.change().await?;
            let id = insert(&mut tx, sealer, algorithm).await?;
            tx.commit().await?;
            Ok(id)
        })
    }

    /// Lets a key sign from now on. The one that signed is `previous`: its tokens go on until they end.
    pub fn promote(&self, id: Uuid) -> BoxFuture<'_, Result<(), StoreKeyError>> {
        Box::pin(async move {
            let mut tx = self.change().await?;
            let status = status_of(&mut tx, id).await?;
            if !matches!(status.as_str(), "standby" | "previous") {
                return Err(StoreKeyError::Status(id, status));
            }
            make_current(&mut tx, id).await?;
            Ok(tx.commit().await?)
        })
    }

    /// Refuses every token of a key from now on, and deletes the private key. Where it was the current one, the latest key on
    /// standby signs from now on, or else a new one. Returns the key that signs then, if it is another one.
    pub fn revoke<'a>(&'a self, sealer: &'a Sealer, id: Uuid) -> BoxFuture<'a, Result<Option<Uuid>, StoreKeyError>> {
        Box::pin(async move {
            let mut tx = self.change().await?;
            let status = status_of(&mut tx, id).await?;
            let algorithm: String = sqlx::query_scalar(
                "update ai.signing_keys set status = 'revoked', revoked_at = coalesce(revoked_at, now()),
                    key_id = null, nonce = null, sealed = null where id = $1 returning algorithm",
            )
            .bind(id)
            .fetch_one(&mut *tx)
            .await?;
            let mut next = None;
            if status == KeyStatus::Current.as_str() {
                let waiting: Option<Uuid> = sqlx::query_scalar(
                    "select id from ai.signing_keys where status = 'standby' order by created_at desc, id limit 1",
                )
                .fetch_optional(&mut *tx)
                .await?;
                let key = if let Some(key) = waiting {
                    key
                } else {
                    let algorithm = SigningAlgorithm::parse(&algorithm).unwrap_or(SigningAlgorithm::Es256);
                    insert(&mut tx, sealer, algorithm).await?
                };
                make_current(&mut tx, key).await?;
                next = Some(key);
            }
            tx.commit().await?;
            Ok(next)
        })
    }

    /// Makes a first key that signs, where none does. Hosts that start together make one.
    pub fn ensure_current<'a>(
        &'a self,
        sealer: &'a Sealer,
        algorithm: SigningAlgorithm,
    ) -> BoxFuture<'a, Result<(), StoreKeyError>> {
        Box::pin(async move {
            let mut tx = self.change().await?;
            let exists: bool =
                sqlx::query_scalar("select exists (select from ai.signing_keys where status = 'current')")
                    .fetch_one(&mut *tx)
                    .await?;
            if !exists {
                let id = insert(&mut tx, sealer, algorithm).await?;
                make_current(&mut tx, id).await?;
            }
            Ok(tx.commit().await?)
        })
    }

    /// Tries to open each private key. Changes nothing.
    pub fn examine<'a>(&'a self, sealer: &'a Sealer) -> BoxFuture<'a, Result<SealedKeys, StoreKeyError>> {
        Box::pin(async move {
            let mut tx = self.db.begin_as_host().await?;
            let rows = rows(&mut tx).await?;
            tx.commit().await?;
            let mut found = SealedKeys::default();
            for row in rows {
                let Some(stored) = row.sealed() else { continue };
                match row.open(sealer) {
                    None => found.closed.push(row.id),
                    Some(_) if sealer.is_current(&stored) => found.current += 1,
                    Some(_) => found.previous += 1,
                }
            }
            Ok(found)
        })
    }

    /// Encrypts with the current key whatever an earlier one opens: [`SealedKeys::previous`] is what was encrypted again.
    pub fn reseal<'a>(&'a self, sealer: &'a Sealer) -> BoxFuture<'a, Result<SealedKeys, StoreKeyError>> {
        Box::pin(async move {
            let mut tx = self.change().await?;
            let mut found = SealedKeys::default();
            for row in rows(&mut tx).await? {
                let Some(stored) = row.sealed() else { continue };
                let Some((_, key)) = row.open(sealer) else {
                    found.closed.push(row.id);
                    continue;
                };
                if sealer.is_current(&stored) {
                    found.current += 1;
                    continue;
                }
                let private = sealer.seal(&bound_to(key.id(), key.algorithm()), key.private_pem())?;
                sqlx::query("update ai.signing_keys set key_id = $2, nonce = $3, sealed = $4 where id = $1")
                    .bind(row.id)
                    .bind(private.key_id)
                    .bind(private.nonce)
                    .bind(private.bytes)
                    .execute(&mut *tx)
                    .await?;
                found.previous += 1;
            }
            tx.commit().await?;
            Ok(found)
        })
    }

    /// A transaction in which nobody else changes the keys; reading goes on.
    async fn change(&self) -> Result<HostTx, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query("lock table ai.signing_keys in share row exclusive mode").execute(&mut *tx).await?;
        Ok(tx)
    }
}

async fn rows(tx: &mut HostTx) -> Result<Vec<StoredKey>, sqlx::Error> {
    sqlx::query_as(
        "select id, algorithm, status, key_id, nonce, sealed from ai.signing_keys order by created_at desc, id",
    )
    .fetch_all(&mut **tx)
    .await
}

async fn status_of(tx: &mut HostTx, id: Uuid) -> Result<String, StoreKeyError> {
    let status: Option<String> = sqlx::query_scalar("select status from ai.signing_keys where id = $1")
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    status.ok_or(StoreKeyError::Unknown(id))
}

async fn insert(tx: &mut HostTx, sealer: &Sealer, algorithm: SigningAlgorithm) -> Result<Uuid, StoreKeyError> {
    let key = SigningKey::generate(algorithm)?;
    let private = sealer.seal(&bound_to(key.id(), algorithm), key.private_pem())?;
    let public = serde_json::to_value(key.public_jwk()).map_err(|_| SigningKeyError::Make)?;
    sqlx::query(
        "insert into ai.signing_keys (id, algorithm, public_jwk, key_id, nonce, sealed) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(key.id())
    .bind(algorithm.as_str())
    .bind(public)
    .bind(private.key_id)
    .bind(private.nonce)
    .bind(private.bytes)
    .execute(&mut **tx)
    .await?;
    Ok(key.id())
}

async fn make_current(tx: &mut HostTx, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("update ai.signing_keys set status = 'previous', retired_at = now() where status = 'current'")
        .execute(&mut **tx)
        .await?;
    sqlx::query("update ai.signing_keys set status = 'current', promoted_at = now() where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// What the encryption of a private key is bound to, so that it opens for this key alone.
fn bound_to(id: Uuid, algorithm: SigningAlgorithm) -> Vec<u8> {
    format!("signing key {id} {}", algorithm.as_str()).into_bytes()
}
