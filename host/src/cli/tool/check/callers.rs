use std::sync::Arc;

use behalf_conformance::Caller;

use crate::identity::{Principal, TokenRequest, Verifier, VerifierOptions, mint_key, mint_token, new_secret};

/// Those for whom the suite calls, made from tokens as every caller is. The secret is forgotten at once.
#[derive(Debug)]
pub(super) struct Callers {
    alice: Arc<Principal>,
    bob: Arc<Principal>,
    anon: Arc<Principal>,
    service: Arc<Principal>,
}

impl Callers {
    pub(super) async fn new() -> anyhow::Result<Self> {
        let secret = new_secret()?;
        let (anon, service) = (mint_key(&secret, "anon")?, mint_key(&secret, "service_role")?);
        let user = |subject: &str| mint_token(&secret, &TokenRequest::for_user(subject));
        let (alice, bob) = (user(behalf_conformance::ALICE)?, user(behalf_conformance::BOB)?);
        let verifier = Verifier::new(VerifierOptions {
            secret: Some(secret.clone().into_bytes()),
            jwks: None,
            audience: "authenticated".to_owned(),
            issuer: None,
            anon_key: Some(anon.clone()),
            service_key: Some(service.clone()),
        })?;
        Ok(Self {
            alice: verifier.verify(&alice).await?,
            bob: verifier.verify(&bob).await?,
            anon: verifier.verify(&anon).await?,
            service: verifier.verify(&service).await?,
        })
    }

    pub(super) fn principal(&self, caller: Caller) -> Arc<Principal> {
        Arc::clone(match caller {
            Caller::Alice => &self.alice,
            Caller::Bob => &self.bob,
            Caller::Anon => &self.anon,
            Caller::Service => &self.service,
        })
    }
}
