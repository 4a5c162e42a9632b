//! `grant_type=id_token`: an app's own sign-in at a provider.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::account;
use super::outside::ProviderError;
use super::provider::Provider;
use crate::client::Client;
use crate::error::AuthError;
use crate::session::{Method, Session};
use crate::state::Auth;
use behalf_problem::LogText as _;

/// `{"provider", "id_token", "access_token"?, "nonce"?}`.
pub(crate) async fn grant(auth: &Auth, body: &Value, client: &Client) -> Result<Session, AuthError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id_token = text("id_token").ok_or_else(|| invalid("id_token required"))?;
    if body.get("link_identity").and_then(Value::as_bool) == Some(true) {
        // Signing in instead would give the app another user than it asked for.
        return Err(invalid("link_identity is not supported; link with the provider's page"));
    }
    let provider = match (text("provider"), text("issuer")) {
        (Some(name), _) => Provider::of(auth, name)?,
        (None, Some(issuer)) => Provider::of_issuer(auth, issuer)?,
        (None, None) => return Err(invalid("provider or client_id and issuer required")),
    };
    let found = provider.profile_of(auth, id_token, text("access_token")).await;
    let (profile, nonce) = found.map_err(|error| refused(&error))?;
    if !provider.skips_nonce() {
        check_nonce(nonce.as_deref(), text("nonce"))?;
    }
    let mut tx = auth.begin().await?;
    let user = account::sign_in(auth, &mut tx, provider.name, &profile).await?;
    let session = auth.sign_in(&mut tx, user, Method::OAuth, client).await?;
    tx.commit().await?;
    Ok(session)
}

/// The token holds the hash of what only the app knows. Whoever gets hold of the token cannot say it.
fn check_nonce(in_token: Option<&str>, sent: Option<&str>) -> Result<(), AuthError> {
    match (in_token.filter(|nonce| !nonce.is_empty()), sent) {
        (None, None) => Ok(()),
        (Some(in_token), Some(sent)) => {
            let hash = hex::encode(Sha256::digest(sent));
            let same: bool = hash.as_bytes().ct_eq(in_token.as_bytes()).into();
            if same { Ok(()) } else { Err(AuthError::new(400, "validation_failed", "Nonces mismatch")) }
        }
        _ => Err(invalid("Passed nonce and nonce in id_token should either both exist or not.")),
    }
}

fn refused(error: &ProviderError) -> AuthError {
    match error {
        ProviderError::IdToken(_) | ProviderError::Refused(_) => {
            tracing::info!(error = error.log_text(), "an ID token was refused");
            invalid("Bad ID token")
        }
        _ => {
            tracing::warn!(error = error.log_text(), "an ID token cannot be verified");
            AuthError::new(503, "unexpected_failure", "the provider cannot be reached right now; try again shortly")
        }
    }
}

fn invalid(message: &'static str) -> AuthError {
    AuthError::validation(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_known_by_its_hash_and_only_to_who_made_it() {
        let hash = hex::encode(Sha256::digest("secret"));
        assert!(check_nonce(Some(&hash), Some("secret")).is_ok());
        assert!(check_nonce(None, None).is_ok() && check_nonce(Some(""), None).is_ok());
        assert!(check_nonce(Some(&hash), Some("other")).is_err());
        // Whoever has the token has the nonce in it, and not what it is the hash of.
        assert!(check_nonce(Some(&hash), Some(&hash)).is_err());
        assert!(check_nonce(Some("plain"), Some("plain")).is_err());
        assert!(check_nonce(Some(&hash), None).is_err() && check_nonce(None, Some("secret")).is_err());
    }
}
