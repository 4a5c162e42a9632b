//! An agent's own keys, made ready for requests to their providers.

use std::sync::Arc;

use behalf_models::{Access, ApiKey};
use behalf_problem::{Kind, Problem};
use behalf_sandbox::{DestinationError, Sandbox};
use thiserror::Error;
use url::Url;
use uuid::Uuid;

use crate::store::{ProviderKey, ProviderKeyError, ProviderKeyStore};

/// Why an agent's stored keys cannot be used.
#[derive(Debug, Error)]
pub(crate) enum AccessError {
    /// The database failed.
    #[error("the agent's keys cannot be read")]
    Database(#[source] sqlx::Error),
    /// A key does not open, or its address must not be reached.
    #[error("{0}")]
    Unusable(String),
}

/// Why a provider or an address is not taken.
#[derive(Debug, Error)]
pub(crate) enum AddressError {
    /// It is not of the documented form.
    #[error("{0}")]
    Form(&'static str),
    /// The host does not go there.
    #[error(transparent)]
    Destination(#[from] DestinationError),
}

impl Problem for AddressError {
    fn kind(&self) -> Kind {
        match self {
            Self::Form(_) => Kind::BadRequest,
            Self::Destination(_) => Kind::Unprocessable,
        }
    }
}

/// Makes keys ready. Addresses are looked up and checked by the sandbox's rules for outgoing requests.
#[derive(Clone, Debug)]
pub(crate) struct ProviderAccess {
    keys: ProviderKeyStore,
    sandbox: Arc<Sandbox>,
}

impl ProviderAccess {
    /// Takes the keys of `keys`, and checks addresses with `sandbox`.
    pub(crate) fn new(keys: ProviderKeyStore, sandbox: Arc<Sandbox>) -> Self {
        Self { keys, sandbox }
    }

    /// The agent's own keys. Their addresses are looked up and checked now and hold for the whole run.
    pub(crate) async fn of_agent(&self, agent: Uuid) -> Result<Vec<Access>, AccessError> {
        let keys = self.keys.open(agent).await.map_err(|error| match error {
            ProviderKeyError::Database(error) => AccessError::Database(error),
            other => AccessError::Unusable(other.to_string()),
        })?;
        let mut accesses = Vec::with_capacity(keys.len());
        for key in keys {
            accesses.push(self.access(key).await?);
        }
        Ok(accesses)
    }

    /// Refuses what a run would refuse, while an operator is there to correct it. A run looks the name up again.
    pub(crate) async fn check(&self, provider: &str, base_url: Option<&str>) -> Result<(), AddressError> {
        let no_key = ApiKey::new("");
        let Some(base_url) = base_url else {
            return Access::public(provider, no_key).map(drop).map_err(|_| {
                AddressError::Form("provider must be one of openai, anthropic, gemini, ollama; ollama needs a base_url")
            });
        };
        Access::own(provider, no_key, base_url, &[]).map_err(|_| {
            AddressError::Form(
                "provider must be one of openai, anthropic, gemini, ollama, and base_url a web address without a password",
            )
        })?;
        let url = Url::parse(base_url.trim()).map_err(|_| AddressError::Form("base_url must be a web address"))?;
        self.sandbox.addresses_of(&url).await?;
        Ok(())
    }

    async fn access(&self, key: ProviderKey) -> Result<Access, AccessError> {
        let ProviderKey { provider, api_key, base_url } = key;
        let unusable = |error: &dyn std::fmt::Display| {
            AccessError::Unusable(format!("its key for {provider} cannot be used: {error}"))
        };
        let Some(base_url) = &base_url else {
            return Access::public(&provider, api_key).map_err(|error| unusable(&error));
        };
        let url = Url::parse(base_url.trim()).map_err(|error| unusable(&error))?;
        let addresses = self.sandbox.addresses_of(&url).await.map_err(|error| unusable(&error))?;
        Access::own(&provider, api_key, base_url, &addresses).map_err(|error| unusable(&error))
    }
}
