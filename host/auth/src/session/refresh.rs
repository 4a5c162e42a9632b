//! `grant_type=refresh_token`: the next access token of a session.
//!
//! A refresh token works once. If it comes again shortly after, its answer was lost, or two windows of an app refreshed at the
//! same moment: both get the token that is the session's last.
//!
//! If it comes again later, either the client never got the answer, or somebody stole a token. Nobody can tell as long as the next
//! token was not used. So whoever comes gets another token in its place, and the one of the lost answer is dead. If somebody holds
//! that one, they are two, and the session ends when it is used. A token whose successor was used is a thief's at once.
//!
//! The token from before a second factor works in the same way, for a client that lost that answer, and the session is at the first
//! level again.

use std::time::Duration;

use behalf_host_db::AuthTx;
use chrono::Utc;
use rand::Rng as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Session, chain};
use crate::client::Client;
use crate::error::AuthError;
use crate::state::Auth;
use crate::store::audit_entries::{self, Entry};
use crate::store::refresh_tokens::{self, TokenRow, stored};
use crate::store::sessions::{self, SessionRow};
use crate::store::users;

/// How long a refresh waits for others of the same session. It waits without a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of a token.
enum Turn {
    /// The session goes on with this token.
    Next(String),
    /// It is stolen, and its session ended.
    Stolen,
}

impl Auth {
    /// Refreshes a session.
    pub(crate) async fn refresh(&self, token: &str, client: &Client) -> Result<Session, AuthError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut tx = self.begin().await?;
            if let Some((row, session)) = self.claim(&mut tx, token).await? {
                return self.refreshed(tx, token, row, session, client).await;
            }
            drop(tx);
            if Instant::now() >= until {
                let message = "Too many concurrent token refresh requests on the same session or refresh token";
                return Err(AuthError::new(409, "conflict", message));
            }
            let pause = Duration::from_millis(rand::rng().random_range(10..40));
            tokio::time::sleep(pause).await;
        }
    }

    /// The rows of a token and its session, which no other transaction changes until this one ends; nothing where one does.
    async fn claim(&self, tx: &mut AuthTx, token: &str) -> Result<Option<(TokenRow, SessionRow)>, AuthError> {
        let grace = self.options.refresh_reuse;
        let row = refresh_tokens::find(tx, token, grace).await?.ok_or_else(unknown)?;
        let Some(id) = row.session_id else {
            return Err(AuthError::new(400, "session_not_found", "Invalid Refresh Token: No Valid Session Found"));
        };
        let Some(session) = sessions::try_lock(tx, id).await? else { return Ok(None) };
        // It may have been used while this transaction waited, and may be gone.
        Ok(refresh_tokens::find(tx, token, grace).await?.map(|row| (row, session)))
    }

    async fn refreshed(
        &self,
        mut tx: AuthTx,
        token: &str,
        row: TokenRow,
        mut session: SessionRow,
        client: &Client,
    ) -> Result<Session, AuthError> {
        let user = users::read(&mut tx, session.user_id).await?.ok_or_else(unknown)?;
        if user.is_banned() {
            return Err(AuthError::new(400, "user_banned", "Invalid Refresh Token: User Banned"));
        }
        self.check_age(&session)?;
        match self.turn(&mut tx, token, &row, &mut session).await? {
            Turn::Next(next) => {
                sessions::refreshed(&mut tx, session.id, client).await?;
                audit_entries::add(&mut tx, &user, Entry::Refreshed, Some(client), None).await?;
                let answer = self.issue(&mut tx, user.id, &session, next, "token_refresh").await?;
                tx.commit().await?;
                Ok(answer)
            }
            Turn::Stolen => {
                audit_entries::add(&mut tx, &user, Entry::Revoked, Some(client), None).await?;
                tx.commit().await?;
                let user = user.id;
                tracing::warn!(user = %user, "a refresh token was used a second time; its session ended");
                Err(already_used())
            }
        }
    }

    async fn turn(
        &self,
        tx: &mut AuthTx,
        token: &str,
        row: &TokenRow,
        session: &mut SessionRow,
    ) -> Result<Turn, AuthError> {
        if !row.revoked {
            let key = match session.refresh_token_hmac_key.take() {
                Some(key) => key,
                None => new_key(tx, session.id).await?,
            };
            if row.token == token {
                refresh_tokens::hash_row(tx, row.id, token).await?;
            }
            refresh_tokens::use_up(tx, session.id).await?;
            return next(tx, session, &key, token).await;
        }
        let active = refresh_tokens::active(tx, session.id).await?;
        let last = session.refresh_token_hmac_key.as_deref().zip(active.as_ref());
        let last = last.and_then(|(key, active)| chain::follow(key, token, &active.token));
        let follows = last.is_some();
        if let Some(last) = last.filter(|_| row.in_grace) {
            return Ok(Turn::Next(last));
        }
        if active.is_some_and(|active| active.parent.as_deref() == Some(row.token.as_str())) {
            if !follows {
                // A second factor came between, and this token does not prove it.
                sessions::lower(tx, session).await?;
            }
            // Another key, so that the token differs from the lost one, and requests at the same moment get the same.
            let key = new_key(tx, session.id).await?;
            refresh_tokens::give_up(tx, session.id, self.options.refresh_reuse).await?;
            refresh_tokens::use_again(tx, row.id, token).await?;
            return next(tx, session, &key, token).await;
        }
        if row.in_grace {
            // It was replaced by something else, such as a second factor, while another request was under way. Nobody stole it.
            return Err(already_used());
        }
        sessions::end(tx, session.user_id, super::Which::One(session.id)).await?;
        Ok(Turn::Stolen)
    }

    /// Refuses a session that is older than an operator allows, or was not refreshed for too long.
    fn check_age(&self, session: &SessionRow) -> Result<(), AuthError> {
        let now = Utc::now();
        let over = |since: Option<chrono::DateTime<Utc>>, limit: Option<Duration>| {
            let age = since.and_then(|since| (now - since).to_std().ok());
            age.zip(limit).is_some_and(|(age, limit)| age > limit)
        };
        let expired = |message| Err(AuthError::new(400, "session_expired", message));
        if session.not_after.is_some_and(|end| end <= now) || over(session.created_at, self.options.session_lifetime) {
            return expired("Invalid Refresh Token: Session Expired");
        }
        let last = session.refreshed_at.map(|at| at.and_utc()).max(session.created_at);
        if over(last, self.options.session_idle) {
            return expired("Invalid Refresh Token: Session Expired (Inactivity)");
        }
        Ok(())
    }
}

/// A new key for the tokens of a session.
async fn new_key(tx: &mut AuthTx, session: Uuid) -> Result<String, AuthError> {
    let key = chain::new_key()?;
    sessions::set_key(tx, session, &key).await?;
    Ok(key)
}

/// Adds the token that follows `token`.
async fn next(tx: &mut AuthTx, session: &SessionRow, key: &str, token: &str) -> Result<Turn, AuthError> {
    let next = chain::next(key, token);
    refresh_tokens::add(tx, session.user_id, session.id, &next, Some(&stored(token))).await?;
    Ok(Turn::Next(next))
}

fn unknown() -> AuthError {
    AuthError::new(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
}

fn already_used() -> AuthError {
    AuthError::new(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
}
