//! The file `dev.env`, in which `behalf dev` keeps its keys between starts.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use behalf_identity::{mint_key, new_secret, new_secrets_key};

use crate::whole_file::{PRIVATE, replace_file};

/// What `behalf dev` keeps between starts in `dev.env`, a file that shells can source. Mode 0600.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevEnv {
    /// The project's public key.
    pub anon_key: String,
    /// The project's secret key.
    pub service_role_key: String,
    /// HS256 secret of the tokens.
    pub jwt_secret: String,
    /// Address of the host.
    pub base_url: String,
    /// Owner's address of the database.
    pub database_url: String,
    /// Key that encrypts secrets in the database.
    pub secrets_key: String,
    /// Password of the host's and the tools' logins.
    pub login_password: String,
    /// Password of the demo user alice.
    pub alice_password: String,
    /// Password of the demo user bob.
    pub bob_password: String,
}

impl DevEnv {
    /// Makes new keys and passwords.
    pub fn make() -> anyhow::Result<Self> {
        let jwt_secret = new_secret()?;
        Ok(Self {
            anon_key: mint_key(&jwt_secret, "anon")?,
            service_role_key: mint_key(&jwt_secret, "service_role")?,
            login_password: new_password()?,
            alice_password: new_password()?,
            bob_password: new_password()?,
            secrets_key: new_secrets_key()?,
            jwt_secret,
            base_url: String::new(),
            database_url: String::new(),
        })
    }

    /// Reads what an earlier start left in this folder.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("dev.env");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let lines: HashMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let get = |name: &str| {
            let value = lines
                .get(name)
                .with_context(|| format!("{} has no {name}; delete it to get a new one", path.display()))?;
            anyhow::Ok((*value).to_owned())
        };
        Ok(Self {
            anon_key: get("ANON_KEY")?,
            service_role_key: get("SERVICE_ROLE_KEY")?,
            jwt_secret: get("JWT_SECRET")?,
            // Files of earlier versions have none.
            secrets_key: get("SECRETS_KEY").or_else(|_| new_secrets_key().map_err(anyhow::Error::from))?,
            base_url: get("BASE_URL")?,
            database_url: get("DATABASE_URL")?,
            login_password: get("LOGIN_PASSWORD")?,
            alice_password: get("ALICE_PASSWORD").or_else(|_| new_password())?,
            bob_password: get("BOB_PASSWORD").or_else(|_| new_password())?,
        })
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let mut text = String::new();
        for (name, value) in [
            ("ANON_KEY", &self.anon_key),
            ("SERVICE_ROLE_KEY", &self.service_role_key),
            ("JWT_SECRET", &self.jwt_secret),
            ("SECRETS_KEY", &self.secrets_key),
            ("BASE_URL", &self.base_url),
            ("DATABASE_URL", &self.database_url),
            ("LOGIN_PASSWORD", &self.login_password),
            ("ALICE_PASSWORD", &self.alice_password),
            ("BOB_PASSWORD", &self.bob_password),
        ] {
            text.push_str(&format!("{name}={value}\n"));
        }
        replace_file(&dir.join("dev.env"), text.as_bytes(), PRIVATE)
    }
}

/// A password that needs no quotes in a shell or an address.
fn new_password() -> anyhow::Result<String> {
    Ok(new_secret()?.chars().take(32).collect())
}
