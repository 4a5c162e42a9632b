//! `behalf secrets`: the secrets that the database holds encrypted.

use std::sync::Arc;

use anyhow::{Context, bail};
use behalf_agents::SealedSecrets;
use behalf_config::{ConfigError, Settings};
use behalf_host_db::SigningKeyStore;
use behalf_tools::PluginSecretStore;
use clap::Subcommand;

use super::host_db::host_db;
use crate::app::sealer;

/// `behalf secrets`
#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Encrypt every secret with `BEHALF_SECRETS_KEY` that a key of `BEHALF_SECRETS_KEY_PREVIOUS` opens.
    Reseal,
}

impl SecretsCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Reseal => reseal().await,
        }
    }
}

/// Prints what was done. Fails if anything stays closed.
async fn reseal() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    if settings.secrets_key.is_none() {
        return Err(ConfigError::Missing("SECRETS_KEY", "`behalf keys` makes one").into());
    }
    let sealer = Arc::new(sealer(&settings)?);
    let db = host_db(&settings).await?;
    let mut done = SealedSecrets::reseal(&db, &sealer).await.context("nothing was changed")?;
    let keys = SigningKeyStore::new(db.clone()).reseal(&sealer).await.context("signing keys stay as they are")?;
    done.current += keys.current;
    done.previous += keys.previous;
    done.closed.extend(keys.closed.iter().map(|key| format!("signing key {key}")));
    let plugins = PluginSecretStore::new(db.clone(), Arc::clone(&sealer)).reseal().await;
    let plugins = plugins.context("secrets of plugins stay as they are")?;
    done.current += plugins.current;
    done.previous += plugins.previous;
    done.closed.extend(plugins.closed);
    let factors = behalf_auth::reseal_factors(&db, &sealer).await.context("second factors stay as they are")?;
    done.previous += factors.renewed;
    done.current += factors.current;
    done.closed.extend(factors.closed.iter().map(|factor| format!("second factor {factor}")));
    db.close().await;
    println!("sealed again with the current key: {}", done.previous);
    println!("sealed with the current key before: {}", done.current);
    println!("opened by no key: {}", done.closed.len());
    if !done.closed.is_empty() {
        bail!(
            "these open with no key that is set: {}; add their key to BEHALF_SECRETS_KEY_PREVIOUS and run this again, or store them again",
            done.closed.join(", ")
        );
    }
    Ok(())
}
