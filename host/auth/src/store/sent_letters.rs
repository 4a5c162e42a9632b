//! Table `auth.behalf_letters`: what was sent to whom in the last hour, and how often a code was tried.
//!
//! It is a table, because the letters of all hosts count together and a host that starts again must not give an attacker new tries.

use std::time::Duration;

use behalf_host_db::AuthTx;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use crate::error::AuthError;
use crate::options::AuthOptions;

/// Tries of a code, right or wrong. The chance to guess one of six digits is then one in a hundred thousand for each letter.
const MAX_TRIES: i16 = 10;
const HOUR: Duration = Duration::from_hours(1);

/// Whether the next letter to the address has to wait for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// It has to, and this one has to wait for the one before.
    Kept,
    /// An administrator or a signed-in user asked for it, and other limits hold.
    None,
}

/// What was sent in the last hour.
#[derive(Clone, Copy, Debug, FromRow)]
struct Sent {
    now: DateTime<Utc>,
    letters: i64,
    first: Option<DateTime<Utc>>,
    /// The last one to the address.
    last: Option<DateTime<Utc>>,
}

fn hash(address: &str) -> Vec<u8> {
    Sha256::digest(address.to_lowercase()).to_vec()
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// How long a row is of use.
fn kept(options: &AuthOptions) -> Duration {
    HOUR.max(options.code_lifetime).max(options.letter_pause)
}

/// Whole seconds from now until this long after `since`, at least one.
fn wait(now: DateTime<Utc>, since: DateTime<Utc>, pause: Duration) -> Option<u64> {
    let passed = (now - since).to_std().unwrap_or_default();
    let left = pause.checked_sub(passed).filter(|left| !left.is_zero())?;
    Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

/// The refusal of a letter that came too soon after another.
pub(crate) fn too_soon(seconds: u64) -> AuthError {
    let message = format!("For security purposes, you can only request this after {seconds} seconds.");
    AuthError { retry_after: Some(seconds), ..AuthError::new(429, "over_email_send_rate_limit", message) }
}

/// Refuses a letter that a signed-in user asks for too soon after one of the same kind.
pub(crate) fn after_pause(options: &AuthOptions, sent: Option<DateTime<Utc>>) -> Result<(), AuthError> {
    match sent.and_then(|sent| wait(Utc::now(), sent, options.letter_pause)) {
        Some(seconds) => Err(too_soon(seconds)),
        None => Ok(()),
    }
}

/// Counts a letter to an address, or refuses it: 429 where the project has sent too many or the address got one just now.
pub(crate) async fn take(tx: &mut AuthTx, options: &AuthOptions, address: &str, pause: Pause) -> Result<(), AuthError> {
    // One after the other until the commit, so that letters at the same moment see each other. This mode excludes itself alone:
    // tries of codes go on.
    sqlx::query("lock table auth.behalf_letters in share update exclusive mode").execute(&mut **tx).await?;
    let sent: Sent = sqlx::query_as(
        "select clock_timestamp() as now, count(*) as letters, min(sent_at) as first, \
         (select max(sent_at) from auth.behalf_letters where address_hash = $1 and pauses) as last \
         from auth.behalf_letters where counts and sent_at > clock_timestamp() - make_interval(secs => $2)",
    )
    .bind(hash(address))
    .bind(seconds(HOUR))
    .fetch_one(&mut **tx)
    .await?;
    if pause == Pause::Kept
        && let Some(seconds) = sent.last.and_then(|last| wait(sent.now, last, options.letter_pause))
    {
        return Err(too_soon(seconds));
    }
    if options.letters_per_hour > 0 && sent.letters >= i64::from(options.letters_per_hour) {
        let retry = sent.first.and_then(|first| wait(sent.now, first, HOUR)).unwrap_or(1);
        let error = AuthError::new(429, "over_email_send_rate_limit", "email rate limit exceeded");
        return Err(AuthError { retry_after: Some(retry), ..error });
    }
    record(tx, options, address, true, pause == Pause::Kept).await
}

/// Notes a code that is not sent, so that it can be tried: an administrator gets it.
pub(crate) async fn note_unsent(tx: &mut AuthTx, options: &AuthOptions, address: &str) -> Result<(), AuthError> {
    record(tx, options, address, false, false).await
}

async fn record(
    tx: &mut AuthTx,
    options: &AuthOptions,
    address: &str,
    counts: bool,
    pauses: bool,
) -> Result<(), AuthError> {
    sqlx::query("delete from auth.behalf_letters where sent_at < clock_timestamp() - make_interval(secs => $1)")
        .bind(seconds(kept(options)))
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "insert into auth.behalf_letters (address_hash, sent_at, counts, pauses) values ($1, clock_timestamp(), $2, $3)",
    )
    .bind(hash(address))
    .bind(counts)
    .bind(pauses)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Uses up one try of the code that was sent to an address last. `false` where none is left, or no code was sent. The caller
/// commits it before the code is looked at, so that tries at the same moment are counted.
pub(crate) async fn spend_try(tx: &mut AuthTx, options: &AuthOptions, address: &str) -> Result<bool, AuthError> {
    let spent = sqlx::query(
        "update auth.behalf_letters set tries = tries + 1 where tries < $3 and letter_id = (\
         select letter_id from auth.behalf_letters where address_hash = $1 \
         and sent_at > clock_timestamp() - make_interval(secs => $2) order by letter_id desc limit 1)",
    )
    .bind(hash(address))
    .bind(seconds(options.code_lifetime))
    .bind(MAX_TRIES)
    .execute(&mut **tx)
    .await?;
    Ok(spent.rows_affected() == 1)
}

/// Somebody proved to read letters to this address: the next one need not wait.
pub(crate) async fn proved(tx: &mut AuthTx, address: &str) -> Result<(), AuthError> {
    sqlx::query("update auth.behalf_letters set pauses = false where address_hash = $1 and pauses")
        .bind(hash(address))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_whole_seconds_until_it_is_over() {
        let now = Utc::now();
        let ago = |millis| now - chrono::Duration::milliseconds(millis);
        let minute = Duration::from_mins(1);
        assert_eq!(wait(now, now, minute), Some(60));
        assert_eq!(wait(now, ago(59_999), minute), Some(1));
        assert_eq!(wait(now, ago(60_000), minute), None);
        // A clock that was set back does not make the pause longer than it is.
        assert_eq!(wait(now, ago(-500_000), minute), Some(60));
    }
}
