//! Verifies the tokens of channels, and asks what their bearers may do.

use std::sync::Arc;
use std::time::Duration;

use behalf_identity::{CallerKey, Principal, VerifyError};
use behalf_problem::{Kind, LogText as _, Problem as _};
use chrono::Utc;

use super::channel::ALL;
use crate::rights::{Rights, RightsError, rights};
use crate::room::Room;
use crate::state::Realtime;

/// How long a question for rights may wait for its turn and be asked.
const RIGHTS_WAIT: Duration = Duration::from_secs(10);

/// Why a channel is not joined, or is closed: upstream's code, and the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Upstream's word for it, which joins are told.
    pub(super) code: &'static str,
    /// What happened.
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// The reason of a join that is refused.
    pub(super) fn reason(&self) -> String {
        format!("{}: {}", self.code, self.text)
    }

    /// The database cannot be asked now.
    pub(super) fn away() -> Self {
        Self::new("UnableToConnectToProject", "Realtime was unable to connect to the project database")
    }

    /// No policy lets the caller read.
    pub(super) fn unreadable(topic: &str) -> Self {
        Self::new("Unauthorized", format!("You do not have permissions to read from this Channel topic: {topic}"))
    }

    /// The token expired at this time, in seconds since 1970.
    pub(super) fn expired(at: i64) -> Self {
        let ago = Utc::now().timestamp().saturating_sub(at);
        Self::new("InvalidJWTToken", format!("Token has expired {ago} seconds ago"))
    }

    fn of_token(error: &VerifyError) -> Self {
        match error {
            VerifyError::Expired => Self::new("InvalidJWTToken", "Token has expired"),
            VerifyError::Invalid(why) if why.contains("not a signed JWT") || why.contains("empty") => {
                Self::new("MalformedJWT", "The token provided is not a valid JWT")
            }
            VerifyError::Invalid(why) if why.contains("signature") || why.contains("unknown key") => {
                Self::new("JwtSignatureError", "Failed to validate JWT signature")
            }
            error if error.kind() == Kind::Unavailable => Self::away(),
            error => Self::new("InvalidJWTToken", error.detail()),
        }
    }
}

/// Verifies a token. Delegations are for agents: they join nothing.
pub(super) async fn verify(realtime: &Realtime, token: &str) -> Result<Arc<Principal>, Refusal> {
    let principal = realtime.web.verifier.verify(token).await.map_err(|error| Refusal::of_token(&error))?;
    if principal.delegation().is_some() {
        return Err(Refusal::new("Unauthorized", "a delegation may not join channels"));
    }
    Ok(principal)
}

/// Whether the token counts no more, and since when.
pub(super) fn expired(principal: &Principal) -> Option<i64> {
    principal.expires_at().filter(|end| *end <= Utc::now().timestamp())
}

/// What the caller may do in the room. In a public one everybody may do everything.
pub(super) async fn ask(
    realtime: &Realtime,
    principal: &Principal,
    key: CallerKey,
    room: &Room,
) -> Result<Rights, Refusal> {
    if !room.is_private() {
        return Ok(ALL);
    }
    // Joins have few places and share them fairly, so that a thousand in a second leave connections to everybody else.
    let Some(_place) = realtime.asking.acquire_within(key, RIGHTS_WAIT).await else { return Err(Refusal::away()) };
    let asked = rights(&realtime.caller_db, principal, room.topic());
    match tokio::time::timeout(RIGHTS_WAIT, asked).await {
        Err(_) => Err(Refusal::away()),
        Ok(Ok(rights)) => Ok(rights),
        Ok(Err(error)) => Err(match error {
            // A policy that raises an error, or takes too long, lets nobody in.
            RightsError::Denied | RightsError::Policy(_) | RightsError::Slow => Refusal::unreadable(room.topic()),
            RightsError::NotServed => {
                Refusal::new("MissingPartition", "Realtime was unable to find the expected messages partition")
            }
            RightsError::Database(_) | RightsError::Busy(_) => {
                tracing::warn!(error = error.log_text(), "cannot ask who may join a channel");
                Refusal::away()
            }
            error => Refusal::new("Unauthorized", error.to_string()),
        }),
    }
}
