//! Table `ai.verified_claims`: what the latest token of each user said of them. And what a service that acts for a user is told
//! of the user: from the request, from the project's `auth.users`, or from that table.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::{BATCH, HostDb};
use behalf_identity::{Principal, UserClaims, VerifiedClaims};
use behalf_problem::LogText as _;
use quick_cache::sync::Cache;
use serde_json::Value as Json;
use sqlx::FromRow;
use uuid::Uuid;

/// Users whose last written claims are remembered. Those of others are written again, which changes nothing.
const REMEMBERED: usize = 10_000;

/// Where claims come from, for the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimsSource {
    /// The service role sent them.
    Request,
    /// The project's table of users.
    AuthUsers,
    /// The user's latest verified token.
    Token,
    /// Nothing is known of the user.
    Nothing,
}

impl ClaimsSource {
    /// The name in the audit log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::AuthUsers => "auth.users",
            Self::Token => "token",
            Self::Nothing => "none",
        }
    }
}

/// Keeps the claims of users, and finds those for who acts in a user's name.
#[derive(Clone, Debug)]
pub struct UserClaimsStore {
    db: HostDb,
    max_age: Duration,
    /// When the token was issued whose claims this host last wrote, by user.
    written: Arc<Cache<Uuid, i64>>,
}

/// What the database knows of a user.
#[derive(Debug, FromRow)]
struct Known {
    /// `{"suspended", "claims"}`; none where the project has no table of users.
    auth_user: Option<Json>,
    /// The claims of the latest token, if it is not too old.
    latest: Option<Json>,
}

impl UserClaimsStore {
    /// The store in `db`; claims of tokens that are older than `max_age` count for nothing.
    pub fn new(db: HostDb, max_age: Duration) -> Self {
        Self { db, max_age, written: Arc::new(Cache::new(REMEMBERED)) }
    }

    /// Keeps what a user's own token says of them. A failure is logged only: the request does not depend on it.
    pub(crate) async fn keep(&self, principal: &Principal) {
        let Some((user, issued_at)) = principal.own_token() else { return };
        // Most requests end here, before their claims are read: their token is the one that was written last, or too old.
        if !self.counts(issued_at) || self.written.get(&user).is_some_and(|last| issued_at <= last) {
            return;
        }
        let Some(verified) = principal.verified_claims() else { return };
        match self.write(principal, &verified).await {
            Ok(()) => self.written.insert(user, issued_at),
            Err(error) => tracing::warn!(error = error.log_text(), "cannot keep the claims of a user"),
        }
    }

    /// Whether what a token of this time says still counts.
    fn counts(&self, issued_at: i64) -> bool {
        issued_at > chrono::Utc::now().timestamp().saturating_sub(seconds(self.max_age))
    }

    async fn write(&self, principal: &Principal, verified: &VerifiedClaims) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        sqlx::query(
            "insert into ai.verified_claims as v (user_id, claims, issued_at) values ($1, $2, to_timestamp($3))
             on conflict (user_id) do update set claims = excluded.claims, issued_at = excluded.issued_at
             where v.issued_at < excluded.issued_at",
        )
        .bind(verified.user())
        .bind(verified.claims().to_json())
        .bind(verified.issued_at())
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// What is known of a user where the request says nothing. A user whom the project's own table does not have, or has
    /// banned, has no claims, whatever an earlier token said.
    pub(crate) async fn of_user(&self, user: Uuid) -> Result<(UserClaims, ClaimsSource), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let known: Known = sqlx::query_as(
            "select behalf.auth_user($1) as auth_user,
                (select claims from ai.verified_claims
                 where user_id = $1 and issued_at > now() - $2 * interval '1 second') as latest",
        )
        .bind(user)
        .bind(seconds(self.max_age))
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let (claims, source) = match known {
            Known { auth_user: Some(row), .. } if row["suspended"] == Json::Bool(false) => {
                (row["claims"].clone(), ClaimsSource::AuthUsers)
            }
            Known { auth_user: None, latest: Some(claims) } => (claims, ClaimsSource::Token),
            // The project's table has only the users of the project's own issuer.
            Known { latest: Some(claims), .. }
                if UserClaims::read_stored(claims.clone()).is_ok_and(|claims| claims.are_of_another_issuer()) =>
            {
                (claims, ClaimsSource::Token)
            }
            _ => return Ok((UserClaims::default(), ClaimsSource::Nothing)),
        };
        let read = match source {
            ClaimsSource::Token => UserClaims::read_stored(claims),
            _ => UserClaims::read(claims),
        };
        match read {
            Ok(claims) => Ok((claims, source)),
            Err(error) => {
                tracing::warn!(user = %user, source = source.as_str(), error = error.log_text(), "cannot use what is known of a user");
                Ok((UserClaims::default(), ClaimsSource::Nothing))
            }
        }
    }

    /// Deletes the claims that are too old to count.
    pub async fn prune(&self) -> Result<(), sqlx::Error> {
        let prune = "delete from ai.verified_claims where user_id in (
            select user_id from ai.verified_claims where issued_at <= now() - $1 * interval '1 second'
            limit $2 for update skip locked)";
        self.db.in_batches(|| sqlx::query(prune).bind(seconds(self.max_age)).bind(BATCH)).await.map(drop)
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
