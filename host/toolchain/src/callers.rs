//! Callers of a command, made from verified tokens as every caller is.

use std::sync::Arc;

use behalf_identity::{Principal, TokenRequest, Verifier, VerifierOptions, mint_key, mint_token, new_secret};

/// Makes callers. Its secret is new and lives as long as the command.
pub(crate) struct Callers {
    secret: String,
    anon_key: String,
    service_key: String,
    verifier: Verifier,
}

impl Callers {
    /// Makes a new secret and a verifier of its tokens.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let secret = new_secret()?;
        let (anon_key, service_key) = (mint_key(&secret, "anon")?, mint_key(&secret, "service_role")?);
        let verifier = Verifier::new(VerifierOptions {
            secret: Some(secret.clone().into_bytes()),
            anon_key: Some(anon_key.clone()),
            service_key: Some(service_key.clone()),
            ..VerifierOptions::default()
        })?;
        Ok(Self { secret, anon_key, service_key, verifier })
    }

    /// The user with this id.
    pub(crate) async fn user(&self, subject: &str) -> anyhow::Result<Arc<Principal>> {
        let token = mint_token(&self.secret, &TokenRequest::for_user(subject))?;
        Ok(self.verifier.verify(&token).await?)
    }

    /// A caller with the public key alone.
    pub(crate) async fn anon(&self) -> anyhow::Result<Arc<Principal>> {
        Ok(self.verifier.verify(&self.anon_key).await?)
    }

    /// The app's back end.
    pub(crate) async fn service(&self) -> anyhow::Result<Arc<Principal>> {
        Ok(self.verifier.verify(&self.service_key).await?)
    }
}
