//! `behalf auth keys`: the keys that sign access tokens.

use behalf_config::Settings;
use behalf_host_db::SigningKeyStore;
use behalf_identity::SigningAlgorithm;
use clap::{Subcommand, ValueEnum};
use uuid::Uuid;

use super::host_db::host_db;
use crate::app::sealer;

/// What a key signs with.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum KeyAlgorithm {
    /// ECDSA on the curve P-256.
    #[default]
    Es256,
    /// RSA with 2,048 bits.
    Rs256,
}

/// `behalf auth keys`
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the keys, the latest first.
    List,
    /// Make a new key and publish it. It signs after `promote`; wait until whoever keeps the key set has read it again.
    Add {
        /// What it signs with.
        #[arg(long, value_enum, default_value_t)]
        algorithm: KeyAlgorithm,
    },
    /// Let a key sign from now on. Tokens of the one before are accepted until they end.
    Promote {
        /// The key's id.
        id: Uuid,
    },
    /// Refuse every token of a key from now on, and delete its private key. This cannot be undone.
    Revoke {
        /// The key's id.
        id: Uuid,
    },
}

impl KeysCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let settings = Settings::load()?;
        let sealer = sealer(&settings)?;
        let db = host_db(&settings).await?;
        let store = SigningKeyStore::new(db.clone());
        match self {
            Self::List => {
                for key in store.list().await? {
                    println!(
                        "{}  {}  {:<8}  made {}  changed {}",
                        key.id, key.algorithm, key.status, key.created_at, key.changed_at
                    );
                }
            }
            Self::Add { algorithm } => {
                let algorithm = match algorithm {
                    KeyAlgorithm::Es256 => SigningAlgorithm::Es256,
                    KeyAlgorithm::Rs256 => SigningAlgorithm::Rs256,
                };
                let id = store.add(&sealer, algorithm).await?;
                println!("{id}");
                eprintln!(
                    "behalf: the key is published; when every reader of the key set has it: behalf auth keys promote {id}"
                );
            }
            Self::Promote { id } => {
                store.promote(id).await?;
                eprintln!("behalf: {id} signs from now on; revoke the one before when its last tokens have ended");
            }
            Self::Revoke { id } => match store.revoke(&sealer, id).await? {
                Some(next) => eprintln!("behalf: {id} is revoked, and {next} signs from now on"),
                None => eprintln!("behalf: {id} is revoked"),
            },
        }
        db.close().await;
        Ok(())
    }
}
