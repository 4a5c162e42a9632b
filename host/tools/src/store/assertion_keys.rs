//! Table `ai.assertion_keys`: the public keys of all hosts that are alive.

use std::time::Duration;

use behalf_host_db::HostDb;
use serde_json::Value as Json;
use sqlx::FromRow;

/// How long a published key is valid without being renewed. Longer than a server may accept a signature (60 s) and than a
/// short outage of the database.
pub(crate) const LIFETIME: Duration = Duration::from_mins(10);

/// A host that renewed its key so lately is alive.
const ALIVE: Duration = Duration::from_mins(4);

/// How long the key of a host that stopped stays published: as long as its last assertion is accepted, which is valid for a
/// minute, by a server whose clock is a minute late.
const KEPT: Duration = Duration::from_mins(2);

/// The table of public keys.
#[derive(Clone, Debug)]
pub struct AssertionKeyStore {
    db: HostDb,
}

/// What a host learns when it publishes its key.
#[derive(Clone, Copy, Debug, FromRow)]
pub(crate) struct Published {
    /// Seconds until everybody knows the key, 0 if it may be used now.
    pub(crate) wait_seconds: f64,
    /// Whether another host is alive.
    pub(crate) others_serve: bool,
    /// Whether there is any server that could check an assertion.
    pub(crate) has_servers: bool,
}

impl AssertionKeyStore {
    /// The store in this database.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Publishes a key, or says that its host is still alive. Deletes the keys of hosts that are not.
    ///
    /// Servers keep the key set for at most `lead`. A new key is to be used when that has passed. Where no key was published
    /// within that time, nobody has a set without this one, so it can be used at once.
    pub(crate) async fn publish(&self, kid: &str, jwk: &Json, lead: Duration) -> Result<Published, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        // One host at a time: two that begin together must not both believe that they are the first.
        sqlx::query("lock table ai.assertion_keys in share row exclusive mode").execute(&mut *tx).await?;
        sqlx::query("delete from ai.assertion_keys where expires_at < now() - make_interval(secs => $1)")
            .bind(lead.as_secs_f64())
            .execute(&mut *tx)
            .await?;
        let published = sqlx::query_as(
            "insert into ai.assertion_keys as k (kid, jwk, expires_at, signs_from)
             values ($1, $2, clock_timestamp() + make_interval(secs => $3),
                clock_timestamp() + case when exists (select from ai.assertion_keys o where o.kid <> $1)
                                         then make_interval(secs => $4) else '0' end)
             on conflict (kid) do update set expires_at = excluded.expires_at,
                signs_from = case when k.expires_at < clock_timestamp() then excluded.signs_from else k.signs_from end
             returning greatest(extract(epoch from k.signs_from - clock_timestamp()), 0)::float8 as wait_seconds,
                exists (select from ai.assertion_keys o
                        where o.kid <> $1 and o.expires_at > clock_timestamp() + make_interval(secs => $5)) as others_serve,
                exists (select from ai.tools) or exists (select from ai.agent_mcp_servers) as has_servers",
        )
        .bind(kid)
        .bind(jwk)
        .bind(LIFETIME.as_secs_f64())
        .bind(lead.as_secs_f64())
        .bind(LIFETIME.saturating_sub(ALIVE).as_secs_f64())
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(published)
    }

    /// Says that a key's host has stopped. The key stays published until nobody accepts what it signed.
    pub(crate) async fn retire(&self, kid: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query(
            "update ai.assertion_keys set expires_at = least(expires_at, now() + make_interval(secs => $2)) where kid = $1",
        )
        .bind(kid)
        .bind(KEPT.as_secs_f64())
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
