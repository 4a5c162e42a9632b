//! The secrets of plugins: which ones their grants name, which have a value, and the values for a call.

use std::collections::HashMap;

use behalf_host_db::Act;
use behalf_problem::{Kind, LogText as _, Problem};
use behalf_sandbox::{HttpSecrets, SecretGrant};
use thiserror::Error;
use uuid::Uuid;

use crate::cut::cut;
use crate::plugin::Plugin;
use crate::registry::{RegistryError, ToolRegistry};
use crate::store::{NewSecret, PluginSecretStore, StoreSecretError, StoredSecret};

/// A secret that a plugin's grants name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSecret {
    /// Its name.
    pub name: String,
    /// The one host that gets it.
    pub host: String,
    /// The header that carries it.
    pub header: String,
    /// The header's value with `{secret}` in the place of the secret.
    pub form: String,
    /// The end of its value; none where it has no value, and where that would be much of it.
    pub last_four: Option<String>,
    /// When its value was set, RFC 3339; none where it has none, so that requests to its host fail.
    pub set_at: Option<String>,
}

/// The secrets of one plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginSecretList {
    /// Those that its grants name, in their order.
    pub secrets: Vec<PluginSecret>,
    /// Names of stored values that no request gets: the grants do not name the secret any more, or for another host.
    pub unused: Vec<String>,
}

/// Why a plugin's secrets were not read or changed.
#[derive(Debug, Error)]
pub enum PluginSecretError {
    /// There is no such plugin.
    #[error("Plugin not found")]
    NoPlugin,
    /// There is no such value.
    #[error("Secret not found")]
    NotFound,
    /// The plugin's grants do not name it.
    #[error("the plugin's grants name no secret {0:?}; declare it under http.secrets of its grants first")]
    NotDeclared(String),
    /// The value cannot be sent.
    #[error("value must be 8 to 4096 printable characters without spaces")]
    Value,
    /// It cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreSecretError),
    /// It cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Problem for PluginSecretError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoPlugin | Self::NotFound => Kind::NotFound,
            Self::NotDeclared(_) | Self::Store(StoreSecretError::Seal(_)) => Kind::Unprocessable,
            Self::Value => Kind::BadRequest,
            Self::Store(StoreSecretError::Database(error)) => error.kind(),
            Self::Registry(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Store(StoreSecretError::Database(error)) => error.detail(),
            Self::Registry(error) => error.detail(),
            _ => self.to_string(),
        }
    }
}

/// Sets, lists and deletes the secrets of plugins.
#[derive(Clone, Debug)]
pub struct PluginSecrets {
    registry: ToolRegistry,
    store: PluginSecretStore,
}

impl PluginSecrets {
    /// Puts the parts together.
    pub(crate) fn new(registry: ToolRegistry, store: PluginSecretStore) -> Self {
        Self { registry, store }
    }

    /// The secrets of a plugin, without their values.
    pub async fn list(&self, plugin: Uuid) -> Result<PluginSecretList, PluginSecretError> {
        let held = self.registry.held_plugin(plugin).ok_or(PluginSecretError::NoPlugin)?;
        let stored = self.store.list(plugin).await.map_err(RegistryError::from)?;
        Ok(listed(&held, stored))
    }

    /// Sets the value of a secret that the plugin's grants name, for the host that they name now.
    pub async fn set(
        &self,
        act: Act<'_>,
        plugin: Uuid,
        name: &str,
        value: &str,
    ) -> Result<PluginSecret, PluginSecretError> {
        let held = self.registry.held_plugin(plugin).ok_or(PluginSecretError::NoPlugin)?;
        if !HttpSecrets::is_value(value) {
            return Err(PluginSecretError::Value);
        }
        let not_declared = || PluginSecretError::NotDeclared(cut(name, 100));
        let declared = held.grants.secrets().iter().find(|secret| secret.name == name).ok_or_else(not_declared)?;
        let host = declared.destination().ok_or_else(not_declared)?;
        let new = NewSecret { plugin, name, host: &host, value };
        let stored = self.store.store(act, &new).await?.ok_or(PluginSecretError::NoPlugin)?;
        let secrets = listed(&held, vec![stored]).secrets;
        secrets.into_iter().find(|secret| secret.name == name).ok_or_else(not_declared)
    }

    /// Deletes the value of a secret.
    pub async fn delete(&self, act: Act<'_>, plugin: Uuid, name: &str) -> Result<(), PluginSecretError> {
        self.registry.held_plugin(plugin).ok_or(PluginSecretError::NoPlugin)?;
        let deleted = self.store.delete(act, plugin, name).await.map_err(RegistryError::from)?;
        if deleted { Ok(()) } else { Err(PluginSecretError::NotFound) }
    }
}

fn listed(plugin: &Plugin, stored: Vec<StoredSecret>) -> PluginSecretList {
    let mut list = PluginSecretList::default();
    let mut unused: HashMap<_, _> = stored.into_iter().map(|one| ((one.name.clone(), one.host.clone()), one)).collect();
    for secret in plugin.grants.secrets() {
        let value = secret.destination().and_then(|host| unused.remove(&(secret.name.clone(), host)));
        let (last_four, set_at) = value.map_or((None, None), |value| (value.last_four, Some(value.created_at)));
        list.secrets.push(PluginSecret {
            name: secret.name.clone(),
            host: secret.host.clone(),
            header: secret.header.clone(),
            form: secret.form().to_owned(),
            last_four,
            set_at,
        });
    }
    list.unused = unused.into_keys().map(|(name, _)| name).collect();
    list.unused.sort_unstable();
    list
}

/// The values of a plugin's secrets for one call. Without one, or with one that no key opens, requests to its host fail.
pub(crate) async fn call_secrets(store: &PluginSecretStore, plugin: &Plugin) -> Result<HttpSecrets, sqlx::Error> {
    let declared = plugin.grants.secrets();
    if declared.is_empty() {
        return Ok(HttpSecrets::default());
    }
    let mut values = HashMap::new();
    for stored in store.open(plugin.row.id).await? {
        // Not even a value that was set for this name goes to a host that it was not set for.
        let host = declared.iter().find(|secret| secret.name == stored.name).and_then(SecretGrant::destination);
        if host.as_deref() != Some(stored.host.as_str()) {
            continue;
        }
        match stored.value {
            Ok(value) => {
                values.insert(stored.name, value);
            }
            Err(error) => tracing::error!(
                plugin.name = %plugin.row.name,
                error = error.log_text(),
                "a secret of a plugin cannot be opened; requests to its host fail"
            ),
        }
    }
    Ok(HttpSecrets::new(values))
}

/// Values for trials of a plugin, which have no real ones: each names its secret.
pub(crate) fn trial_secrets(plugin: &Plugin) -> HttpSecrets {
    let value = |name: &String| (name.clone(), format!("value-of-{name}"));
    HttpSecrets::new(plugin.grants.secrets().iter().map(|secret| value(&secret.name)).collect())
}
