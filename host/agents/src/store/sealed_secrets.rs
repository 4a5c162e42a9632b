//! All sealed secrets at once: which keys open them, and sealing them again with the current key.

use behalf_host_db::{HostDb, SealError, Sealed, Sealer};
use futures::future::BoxFuture;
use sqlx::FromRow;
use thiserror::Error;
use uuid::Uuid;

use super::provider_key::bound_to;

/// The sealed secrets of a database, by the key that opens them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedSecrets {
    /// Sealed with the current key.
    pub current: usize,
    /// Sealed with an earlier key that is still set.
    pub previous: usize,
    /// Opened by no key that is set, each named by its agent and provider.
    pub closed: Vec<String>,
}

/// Why sealed secrets cannot be looked at or sealed again.
#[derive(Debug, Error)]
pub enum ResealError {
    /// No key is set that could seal them.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database failed.
    #[error("the sealed secrets cannot be read or written")]
    Database(#[from] sqlx::Error),
}

#[derive(Debug, FromRow)]
struct Row {
    agent_id: Uuid,
    provider: String,
    base_url: Option<String>,
    key_id: String,
    nonce: Vec<u8>,
    sealed: Vec<u8>,
}

impl SealedSecrets {
    /// Tries to open each secret. Changes nothing.
    pub fn examine<'a>(db: &'a HostDb, sealer: &'a Sealer) -> BoxFuture<'a, Result<Self, ResealError>> {
        Box::pin(pass(db, sealer, false))
    }

    /// Seals with the current key whatever an earlier one opens: [`SealedSecrets::previous`] is what was sealed again. All
    /// of it in one transaction, and what opens with no key stays as it is.
    pub fn reseal<'a>(db: &'a HostDb, sealer: &'a Sealer) -> BoxFuture<'a, Result<Self, ResealError>> {
        Box::pin(async move {
            if !sealer.can_seal() {
                return Err(SealError::NoKey.into());
            }
            pass(db, sealer, true).await
        })
    }
}

async fn pass(db: &HostDb, sealer: &Sealer, reseal: bool) -> Result<SealedSecrets, ResealError> {
    let mut found = SealedSecrets::default();
    let mut tx = db.begin_as_host().await?;
    if reseal {
        // Nobody stores a secret while all of them are sealed again; reading goes on.
        sqlx::query("lock table ai.provider_keys in share row exclusive mode").execute(&mut *tx).await?;
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select agent_id, provider, base_url, key_id, nonce, sealed from ai.provider_keys order by agent_id, provider",
    )
    .fetch_all(&mut *tx)
    .await?;
    for row in rows {
        let bound = bound_to(row.agent_id, &row.provider, row.base_url.as_deref());
        let stored = Sealed { key_id: row.key_id, nonce: row.nonce, bytes: row.sealed };
        let Ok(secret) = sealer.open(&bound, &stored) else {
            found.closed.push(format!("agent {} {}", row.agent_id, row.provider));
            continue;
        };
        if sealer.is_current(&stored) {
            found.current += 1;
            continue;
        }
        found.previous += 1;
        if reseal {
            let renewed = sealer.seal(&bound, &secret)?;
            sqlx::query(
                "update ai.provider_keys set key_id = $3, nonce = $4, sealed = $5 where agent_id = $1 and provider = $2",
            )
            .bind(row.agent_id)
            .bind(&row.provider)
            .bind(&renewed.key_id)
            .bind(&renewed.nonce)
            .bind(&renewed.bytes)
            .execute(&mut *tx)
            .await?;
        }
    }
    if reseal {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(found)
}
