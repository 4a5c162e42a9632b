//! `grant_type=id_token`: an app's own sign-in at a provider.

use serde_json::Value;

use crate::client::Client;
use crate::error::AuthError;
use crate::session::Session;
use crate::state::Auth;

/// `{"provider", "id_token", "access_token"?, "nonce"?}`.
pub(crate) async fn grant(_auth: &Auth, _body: &Value, _client: &Client) -> Result<Session, AuthError> {
    Err(AuthError::new(400, "unsupported_grant_type", "unsupported_grant_type"))
}
