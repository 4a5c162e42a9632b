//! Table `ai.idempotency_keys`: which requests were taken already, on whichever host.

use sqlx::Row;
use uuid::Uuid;

use super::{Db, HostTx};

/// How long a claim holds without a sign of its host.
const LEASE_SECONDS: f64 = 60.0;
/// How long an answer is kept.
const KEPT_HOURS: f64 = 24.0;

/// What a request is known by: hashes of who asks what under which key, and of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestMark {
    /// SHA-256 of caller, method, path and key.
    pub scope: [u8; 32],
    /// SHA-256 of the body.
    pub fingerprint: [u8; 32],
}

/// A key that this request may work under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    scope: [u8; 32],
    claim: Uuid,
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What is known of a key.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// Nothing: this request works under it now.
    Mine(KeyClaim),
    /// It was answered.
    Answered(StoredAnswer),
    /// It began this run.
    Run(String),
    /// Another request works under it.
    Working,
    /// It came with another body.
    OtherBody,
}

impl Db {
    /// Claims a key, or tells what became of it. A claim whose host died, and a row that is too old, are free.
    pub async fn claim_key(&self, mark: &RequestMark) -> Result<Claimed, sqlx::Error> {
        let claim = Uuid::new_v4();
        let mut tx = self.begin_as_host().await?;
        let mine = sqlx::query(
            "insert into ai.idempotency_keys as held (scope, fingerprint, claim, lease_until)
             values ($1, $2, $3, now() + $4 * interval '1 second')
             on conflict (scope) do update set fingerprint = excluded.fingerprint, claim = excluded.claim,
                 lease_until = excluded.lease_until, run_id = null, status = null, content_type = null, body = null,
                 created_at = now()
             where held.created_at < now() - $5 * interval '1 hour'
                or (held.run_id is null and held.status is null and held.lease_until < now())",
        )
        .bind(mark.scope.as_slice())
        .bind(mark.fingerprint.as_slice())
        .bind(claim)
        .bind(LEASE_SECONDS)
        .bind(KEPT_HOURS)
        .execute(&mut *tx)
        .await?;
        if mine.rows_affected() > 0 {
            tx.commit().await?;
            return Ok(Claimed::Mine(KeyClaim { scope: mark.scope, claim }));
        }
        let row = sqlx::query(
            "select fingerprint, run_id, status, content_type, body from ai.idempotency_keys where scope = $1",
        )
        .bind(mark.scope.as_slice())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        // Its request failed without effects between the two statements; whoever asks again may claim it.
        let Some(row) = row else { return Ok(Claimed::Working) };
        if row.try_get::<Vec<u8>, _>("fingerprint")? != mark.fingerprint {
            return Ok(Claimed::OtherBody);
        }
        if let Some(run_id) = row.try_get("run_id")? {
            return Ok(Claimed::Run(run_id));
        }
        let Some(status) = row.try_get::<Option<i16>, _>("status")? else { return Ok(Claimed::Working) };
        Ok(Claimed::Answered(StoredAnswer {
            status: status.unsigned_abs(),
            content_type: row.try_get("content_type")?,
            body: row.try_get::<Option<Vec<u8>>, _>("body")?.unwrap_or_default(),
        }))
    }

    /// Says that the request under this claim is still worked on.
    pub async fn renew_key(&self, claim: &KeyClaim) -> Result<(), sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
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

    /// Gives a key back whose request began nothing.
    pub async fn release_key(&self, claim: &KeyClaim) -> Result<(), sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        sqlx::query(
            "delete from ai.idempotency_keys where scope = $1 and claim = $2 and run_id is null and status is null",
        )
        .bind(claim.scope.as_slice())
        .bind(claim.claim)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Keeps the answer of a claim's request.
    pub async fn answer_key(&self, claim: &KeyClaim, answer: &StoredAnswer) -> Result<(), sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
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

    /// Deletes what nobody can ask for any more. How many rows there were.
    pub async fn prune_keys(&self) -> Result<u64, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let done = sqlx::query("delete from ai.idempotency_keys where created_at < now() - $1 * interval '1 hour'")
            .bind(KEPT_HOURS)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }
}

/// Ties a run to the key of the request that begins it, in one transaction. False where the claim was lost.
pub(super) async fn began_run(tx: &mut HostTx, claim: Option<&KeyClaim>, run_id: &str) -> Result<bool, sqlx::Error> {
    let Some(claim) = claim else { return Ok(true) };
    let done =
        sqlx::query("update ai.idempotency_keys set run_id = $3 where scope = $1 and claim = $2 and run_id is null")
            .bind(claim.scope.as_slice())
            .bind(claim.claim)
            .bind(run_id)
            .execute(&mut **tx)
            .await?;
    Ok(done.rows_affected() > 0)
}
