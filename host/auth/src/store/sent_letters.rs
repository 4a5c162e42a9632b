//! Table `auth.behalf_letters`: what was sent to whom in the last hour, and how often a code was tried.
//!
//! It is a table, because the letters of all hosts count together and a host that starts again must not give an attacker new tries.

use std::net::IpAddr;
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

/// A letter that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Whom it is to.
    pub(crate) address: &'a str,
    /// Who asks; none for the service role, which has no limit of its own.
    pub(crate) client: Option<IpAddr>,
    /// Whether it makes the next one wait.
    pub(crate) pause: Pause,
}

/// What was sent in the last hour.
#[derive(Clone, Copy, Debug, FromRow)]
struct Sent {
    now: DateTime<Utc>,
    /// By all clients, and when the first of them was.
    letters: i64,
    first: Option<DateTime<Utc>>,
    /// By this client, and when the first of them was.
    of_client: i64,
    first_of_client: Option<DateTime<Utc>>,
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

/// Counts a letter to an address, or refuses it: 429 where the project or the client has sent too many, or the address got one just
/// now. It comes before any lock of a user's row.
pub(crate) async fn take(tx: &mut AuthTx, options: &AuthOptions, asked: Asked<'_>) -> Result<(), AuthError> {
    // One after the other until the commit, so that letters at the same moment see each other. This mode excludes itself alone:
    // tries of codes go on.
    sqlx::query("lock table auth.behalf_letters in share update exclusive mode").execute(&mut **tx).await?;
    let sent: Sent = sqlx::query_as(
        "select clock_timestamp() as now, count(*) as letters, min(sent_at) as first, \
         count(*) filter (where client = $3::text::inet) as of_client, \
         min(sent_at) filter (where client = $3::text::inet) as first_of_client, \
         (select max(sent_at) from auth.behalf_letters where address_hash = $1 and pauses) as last \
         from auth.behalf_letters where counts and sent_at > clock_timestamp() - make_interval(secs => $2)",
    )
    .bind(hash(asked.address))
    .bind(seconds(HOUR))
    .bind(asked.client.map(|client| client.to_string()))
    .fetch_one(&mut **tx)
    .await?;
    if asked.pause == Pause::Kept
        && let Some(seconds) = sent.last.and_then(|last| wait(sent.now, last, options.letter_pause))
    {
        return Err(too_soon(seconds));
    }
    for (limit, letters, first) in [
        (options.letters_per_client, sent.of_client, sent.first_of_client),
        (options.letters_per_hour, sent.letters, sent.first),
    ] {
        if limit > 0 && letters >= i64::from(limit) {
            let retry = first.and_then(|first| wait(sent.now, first, HOUR)).unwrap_or(1);
            let error = AuthError::new(429, "over_email_send_rate_limit", "email rate limit exceeded");
            return Err(AuthError { retry_after: Some(retry), ..error });
        }
    }
    record(tx, asked, true).await
}

/// Notes a code that is not sent, so that it can be tried: an administrator gets it.
pub(crate) async fn note_unsent(tx: &mut AuthTx, address: &str) -> Result<(), AuthError> {
    record(tx, Asked { address, client: None, pause: Pause::None }, false).await
}

async fn record(tx: &mut AuthTx, asked: Asked<'_>, counts: bool) -> Result<(), AuthError> {
    sqlx::query(
        "insert into auth.behalf_letters (address_hash, sent_at, counts, pauses, client) \
         values ($1, clock_timestamp(), $2, $3, $4::text::inet)",
    )
    .bind(hash(asked.address))
    .bind(counts)
    .bind(asked.pause == Pause::Kept)
    .bind(asked.client.map(|client| client.to_string()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes what no limit needs any more. In a transaction of its own: a request that deleted rows and then waited for a user's row
/// could wait for one that uses these rows.
pub(crate) async fn prune(tx: &mut AuthTx, options: &AuthOptions, most: i64) -> Result<u64, sqlx::Error> {
    let pruned = sqlx::query(
        "delete from auth.behalf_letters where letter_id in (
            select letter_id from auth.behalf_letters where sent_at < clock_timestamp() - make_interval(secs => $1)
            limit $2 for update skip locked)",
    )
    .bind(seconds(kept(options)))
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(pruned.rows_affected())
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
    // In one order, because two users may prove the same address at the same moment.
    sqlx::query(
        "update auth.behalf_letters set pauses = false where letter_id in (\
         select letter_id from auth.behalf_letters where address_hash = $1 and pauses order by letter_id for update)",
    )
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
