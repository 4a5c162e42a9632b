//! The table `ai.idempotency_keys`: the requests with a key that any host has accepted.

use behalf_host_db::{BATCH, HostDb, HostTx};
use sqlx::Row;
use uuid::Uuid;

/// How long a claim holds without a renewal.
const LEASE_SECONDS: f64 = 60.0;

/// The identity of a request: hashes of its caller, route and key, and of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestMark {
    /// SHA-256 of caller, method, path and key.
    pub(crate) scope: [u8; 32],
    /// SHA-256 of the body.
    pub(crate) fingerprint: [u8; 32],
}

/// The right to carry out the request with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    scope: [u8; 32],
    claim: Uuid,
}

/// A stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The result of an attempt to claim a key.
#[derive(Clone, Debug)]
pub(crate) enum Claimed {
    /// This request now has the claim.
    Mine(KeyClaim),
    /// An earlier request got this response.
    Answered(StoredAnswer),
    /// An earlier request began this run.
    Run(String),
    /// Another request with this key is still processed.
    Working,
    /// The host that processed another request with this key has stopped, and nobody knows how far it came.
    Lost,
    /// An earlier request with this key had another body.
    OtherBody,
}

/// The table of keys.
#[derive(Clone, Debug)]
pub struct IdempotencyKeyStore {
    db: HostDb,
    /// For how many days a response is stored.
    kept_days: f64,
}

impl IdempotencyKeyStore {
    /// Makes the store of a database. Responses are stored for so many days, one at least: clients repeat requests within a day.
    pub fn new(db: HostDb, kept_days: u32) -> Self {
        Self { db, kept_days: f64::from(kept_days.max(1)) }
    }

    /// Claims a key, or returns its state. Expired rows can be claimed again. So can a claim that was not renewed, where `takes_over`:
    /// where the claim is tied to what it began in one transaction ([`KeyClaim::bind_run`]), such a claim began nothing.
    pub(crate) async fn claim(&self, mark: &RequestMark, takes_over: bool) -> Result<Claimed, sqlx::Error> {
        let claim = Uuid::new_v4();
        let mut tx = self.db.begin_as_host().await?;
        let mine = sqlx::query(
            "insert into ai.idempotency_keys as held (scope, fingerprint, claim, lease_until)
             values ($1, $2, $3, now() + $4 * interval '1 second')
             on conflict (scope) do update set fingerprint = excluded.fingerprint, claim = excluded.claim,
                 lease_until = excluded.lease_until, run_id = null, status = null, content_type = null, body = null,
                 created_at = now()
             where held.created_at < now() - $5 * interval '1 day'
                or ($6 and held.run_id is null and held.status is null and held.lease_until < now())",
        )
        .bind(mark.scope.as_slice())
        .bind(mark.fingerprint.as_slice())
        .bind(claim)
        .bind(LEASE_SECONDS)
        .bind(self.kept_days)
        .bind(takes_over)
        .execute(&mut *tx)
        .await?;
        if mine.rows_affected() > 0 {
            tx.commit().await?;
            return Ok(Claimed::Mine(KeyClaim { scope: mark.scope, claim }));
        }
        let row = sqlx::query(
            "select fingerprint, run_id, status, content_type, body, lease_until < now() as is_lost
             from ai.idempotency_keys where scope = $1",
        )
        .bind(mark.scope.as_slice())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        // The other request failed without effects between the two statements, so the next attempt can claim the key.
        let Some(row) = row else { return Ok(Claimed::Working) };
        if row.try_get::<Vec<u8>, _>("fingerprint")? != mark.fingerprint {
            return Ok(Claimed::OtherBody);
        }
        if let Some(run_id) = row.try_get("run_id")? {
            return Ok(Claimed::Run(run_id));
        }
        let Some(status) = row.try_get::<Option<i16>, _>("status")? else {
            return Ok(if row.try_get("is_lost")? { Claimed::Lost } else { Claimed::Working });
        };
        Ok(Claimed::Answered(StoredAnswer {
            status: status.unsigned_abs(),
            content_type: row.try_get("content_type")?,
            body: row.try_get::<Option<Vec<u8>>, _>("body")?.unwrap_or_default(),
        }))
    }

    /// Extends the lease of a claim whose request is still processed.
    pub(crate) async fn renew(&self, claim: &KeyClaim) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query(
            "update ai.idempotency_keys set lease_until = now() + $3 * interval '1 second' where scope = $1 and claim = $2",
        )
        .bind(claim.scope.as_slice())
        .bind(claim.claim)
        .bind(LEASE_SECONDS)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Releases a claim whose request had no effects.
    pub(crate) async fn release(&self, claim: &KeyClaim) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query(
            "delete from ai.idempotency_keys where scope = $1 and claim = $2 and run_id is null and status is null",
        )
        .bind(claim.scope.as_slice())
        .bind(claim.claim)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Stores the response to a claim's request.
    pub(crate) async fn store_answer(&self, claim: &KeyClaim, answer: &StoredAnswer) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query(
            "update ai.idempotency_keys set status = $3, content_type = $4, body = $5 where scope = $1 and claim = $2",
        )
        .bind(claim.scope.as_slice())
        .bind(claim.claim)
        .bind(i16::try_from(answer.status).unwrap_or(i16::MAX))
        .bind(&answer.content_type)
        .bind(&answer.body)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Deletes expired rows, and returns their number.
    pub async fn prune(&self) -> Result<u64, sqlx::Error> {
        let prune = "delete from ai.idempotency_keys where scope in (
            select scope from ai.idempotency_keys where created_at < now() - $1 * interval '1 day'
            limit $2 for update skip locked)";
        self.db.in_batches(|| sqlx::query(prune).bind(self.kept_days).bind(BATCH)).await
    }
}

impl KeyClaim {
    /// Records the run that the request begins, in the transaction that begins it. Returns false if the claim was lost.
    pub async fn bind_run(&self, tx: &mut HostTx, run_id: &str) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "update ai.idempotency_keys set run_id = $3 where scope = $1 and claim = $2 and run_id is null",
        )
        .bind(self.scope.as_slice())
        .bind(self.claim)
        .bind(run_id)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
