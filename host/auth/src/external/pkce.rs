//! The PKCE flow: a sign-in by letter or provider ends with a code in the app's address, which the app exchanges for the session
//! with the secret that only it knows (RFC 7636).

use behalf_host_db::AuthTx;
use serde_json::Value;
use uuid::Uuid;

use crate::client::Client;
use crate::error::AuthError;
use crate::session::{Method, Session};
use crate::state::Auth;

/// The challenge of a request that begins a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// `code_challenge`.
    pub(crate) challenge: String,
    /// `s256` or `plain`.
    pub(crate) method: String,
}

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method` of a request; `None` where both are absent, null or empty.
    pub(crate) fn read(_challenge: Option<&str>, _method: Option<&str>) -> Result<Option<Self>, AuthError> {
        Err(AuthError::new(500, "unexpected_failure", "not built"))
    }

    /// Begins a flow for a letter that was asked for with this challenge, and returns the flow's id.
    pub(crate) async fn begin(&self, _tx: &mut AuthTx, _user: Uuid, _method: Method) -> Result<Uuid, AuthError> {
        Err(AuthError::new(500, "unexpected_failure", "not built"))
    }
}

/// The code with which the app gets its session, after the user followed the link of a flow. It is valid for five minutes.
pub(crate) async fn issue_code(_tx: &mut AuthTx, _flow: Uuid) -> Result<Uuid, AuthError> {
    Err(AuthError::new(500, "unexpected_failure", "not built"))
}

/// `grant_type=pkce`: `{"auth_code", "code_verifier"}`.
pub(crate) async fn grant(_auth: &Auth, _body: &Value, _client: &Client) -> Result<Session, AuthError> {
    Err(AuthError::new(400, "unsupported_grant_type", "unsupported_grant_type"))
}
