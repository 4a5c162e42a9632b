//! An agent's own keys, made ready for its run.

use url::Url;
use uuid::Uuid;

use super::Agents;
use super::error::StartError;
use crate::db::{ProviderKey, ProviderKeyError};
use crate::models::{Access, ApiKey};

impl Agents {
    /// The agent's own ways to providers. Their addresses are looked up and checked now and hold for the whole run.
    pub(super) async fn accesses(&self, agent: Uuid) -> Result<Vec<Access>, StartError> {
        let keys = self.db.open_provider_keys(agent).await.map_err(|error| match error {
            ProviderKeyError::Database(error) => StartError::Database(error),
            other => StartError::Settings(other.to_string()),
        })?;
        let mut accesses = Vec::with_capacity(keys.len());
        for key in keys {
            accesses.push(self.access(key).await?);
        }
        Ok(accesses)
    }

    async fn access(&self, key: ProviderKey) -> Result<Access, StartError> {
        let unusable = |error: &dyn std::fmt::Display| {
            StartError::Settings(format!("its key for {} cannot be used: {error}", key.provider))
        };
        let secret = ApiKey::new(key.api_key.expose());
        let Some(base_url) = &key.base_url else {
            return Access::public(&key.provider, secret).map_err(|error| unusable(&error));
        };
        let url = Url::parse(base_url.trim()).map_err(|error| unusable(&error))?;
        let addresses = self.tools.sandbox().addresses_of(&url).await.map_err(|error| unusable(&error))?;
        Access::own(&key.provider, secret, base_url, &addresses).map_err(|error| unusable(&error))
    }
}
