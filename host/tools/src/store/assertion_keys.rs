//! Table `ai.assertion_keys`: the public keys of all hosts that are alive.

use behalf_host_db::HostDb;
use serde_json::Value as Json;

/// How long a published key is valid without being renewed. Longer than a server may accept a signature (60 s) and than a
/// short outage of the database.
const LIFETIME_SECONDS: f64 = 600.0;

/// The table of public keys.
#[derive(Clone, Debug)]
pub struct AssertionKeyStore {
    db: HostDb,
}

impl AssertionKeyStore {
    /// The store in this database.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Publishes a key, or says that its host is still alive. Deletes the keys of hosts that are not.
    pub async fn publish(&self, kid: &str, jwk: &Json) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query("delete from ai.assertion_keys where expires_at < now()").execute(&mut *tx).await?;
        sqlx::query(
            "insert into ai.assertion_keys (kid, jwk, expires_at) values ($1, $2, now() + make_interval(secs => $3))
             on conflict (kid) do update set expires_at = excluded.expires_at",
        )
        .bind(kid)
        .bind(jwk)
        .bind(LIFETIME_SECONDS)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// The keys that are valid now.
    pub async fn valid(&self) -> Result<Vec<Json>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let keys = sqlx::query_scalar("select jwk from ai.assertion_keys where expires_at > now() order by kid")
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(keys)
    }
}
