//! Table `ai.assertion_keys`: the public keys of all hosts that are alive.

use serde_json::Value as Json;
use sqlx::Row;

use super::Db;

/// How long a published key is valid without being renewed. Longer than anybody may take a signature for good (60 s) and
/// than a database may be away for a moment.
const LIFETIME_SECONDS: f64 = 600.0;

impl Db {
    /// Publishes a key, or says that its host is still alive; forgets those of hosts that are not.
    pub async fn publish_assertion_key(&self, kid: &str, jwk: &Json) -> Result<(), sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
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

    /// Keys that are valid now.
    pub async fn assertion_keys(&self) -> Result<Vec<Json>, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let rows = sqlx::query("select jwk from ai.assertion_keys where expires_at > now() order by kid")
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}
