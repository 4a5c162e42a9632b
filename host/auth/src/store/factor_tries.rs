//! Table `auth.behalf_factor_tries`: what GoTrue's tables have no column for. The step of the last code that was used, so that no code
//! is used twice, and how many codes in a row were wrong, so that guessing takes too long.

use behalf_host_db::AuthTx;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::AuthError;

/// Wrong codes in a row after which a pause comes before the next try.
const FREE_FAILURES: i32 = 5;
/// The first pause. Each further wrong code doubles it.
const FIRST_PAUSE_SECONDS: i64 = 30;
/// The longest pause. At this rate it takes a guesser decades to meet one of three codes in a million.
const LAST_PAUSE_SECONDS: i64 = 3600;

/// What is known of the tries of a factor.
#[derive(Clone, Copy, Debug, Default, FromRow)]
pub(crate) struct Tries {
    /// The step of the last code that was used.
    pub(crate) last_step: i64,
    /// Wrong codes since then.
    pub(crate) failures: i32,
    /// When the last of them came.
    pub(crate) failed_at: Option<DateTime<Utc>>,
}

impl Tries {
    /// How long the next try has to wait.
    pub(crate) fn pause(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let over = u32::try_from(self.failures.checked_sub(FREE_FAILURES)?).ok()?;
        let seconds = 2_i64.checked_pow(over.min(16))?.saturating_mul(FIRST_PAUSE_SECONDS).min(LAST_PAUSE_SECONDS);
        let left = self.failed_at? + TimeDelta::seconds(seconds) - now;
        (left > TimeDelta::zero()).then_some(left)
    }
}

/// The tries of a factor, locked until the transaction ends.
pub(crate) async fn of(tx: &mut AuthTx, factor: Uuid) -> Result<Tries, AuthError> {
    // The upsert locks the row, and makes it where there is none: two first tries at once must not miss each other.
    Ok(sqlx::query_as(
        "insert into auth.behalf_factor_tries (factor_id) values ($1)
         on conflict (factor_id) do update set factor_id = excluded.factor_id returning last_step, failures, failed_at",
    )
    .bind(factor)
    .fetch_one(&mut **tx)
    .await?)
}

/// Counts a wrong code.
pub(crate) async fn count_failure(tx: &mut AuthTx, factor: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.behalf_factor_tries set failures = failures + 1, failed_at = now() where factor_id = $1")
        .bind(factor)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Notes that the code of this step was used.
pub(crate) async fn use_step(tx: &mut AuthTx, factor: Uuid, step: i64) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.behalf_factor_tries set last_step = $2, failures = 0, failed_at = null where factor_id = $1",
    )
    .bind(factor)
    .bind(step)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_codes_cost_ever_more_time() {
        let now = Utc::now();
        let pause =
            |failures| Tries { last_step: 0, failures, failed_at: Some(now) }.pause(now).map(|left| left.num_seconds());
        assert_eq!([pause(0), pause(4)], [None, None]);
        assert_eq!([pause(5), pause(6), pause(7)], [Some(30), Some(60), Some(120)]);
        assert_eq!([pause(12), pause(i32::MAX)], [Some(3600), Some(3600)]);
        let later = Tries { last_step: 0, failures: 5, failed_at: Some(now - TimeDelta::seconds(31)) };
        assert!(later.pause(now).is_none());
    }
}
