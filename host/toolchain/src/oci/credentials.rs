//! User name and password at a registry: from the command line, the environment, or `docker login`.

use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use anyhow::{Context, bail};
use behalf_config::environment;
use clap::Args;
use docker_credential::{CredentialRetrievalError as DockerError, DockerCredential};
use oci_client::secrets::RegistryAuth;

use super::errors::clean;

/// How to reach a registry.
#[derive(Debug, Args)]
pub struct RegistryArgs {
    /// User name at the registry; without one, what `docker login` left is used, and else nobody's.
    #[arg(long, env = "BEHALF_REGISTRY_USERNAME")]
    username: Option<String>,
    /// Read the password from standard input instead of `BEHALF_REGISTRY_PASSWORD`.
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Speak plain HTTP; done anyway where the registry is on this machine.
    #[arg(long)]
    pub(super) insecure: bool,
}

impl RegistryArgs {
    /// The credentials for a registry. A password is never an argument, because other users of the machine see arguments.
    pub(super) fn auth(&self, registry: &str) -> anyhow::Result<RegistryAuth> {
        let Some(username) = self.username.as_deref().filter(|name| !name.is_empty()) else {
            return from_docker(registry);
        };
        let password = if self.password_stdin {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read the password from standard input")?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            environment("BEHALF_REGISTRY_PASSWORD").context(
                "there is a user name and no password; set BEHALF_REGISTRY_PASSWORD or give --password-stdin",
            )?
        };
        Ok(RegistryAuth::Basic(username.to_owned(), password))
    }
}

/// The credentials that `docker login` keeps, in its own file or in a credential helper.
fn from_docker(registry: &str) -> anyhow::Result<RegistryAuth> {
    let folder = environment("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| environment("HOME").map(|home| PathBuf::from(home).join(".docker")));
    let Some(path) = folder.map(|folder| folder.join("config.json")) else { return Ok(RegistryAuth::Anonymous) };
    let file = match std::fs::File::open(&path) {
        Ok(file) => std::io::BufReader::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    // Helpers know Docker's own registry by another name.
    let server = if registry == "index.docker.io" { "https://index.docker.io/v1/" } else { registry };
    match docker_credential::get_credential_from_reader(file, server) {
        Ok(DockerCredential::UsernamePassword(username, password)) => Ok(RegistryAuth::Basic(username, password)),
        Ok(DockerCredential::IdentityToken(_)) => bail!(
            "docker keeps an identity token for {registry}, which only docker can use; set BEHALF_REGISTRY_USERNAME and BEHALF_REGISTRY_PASSWORD"
        ),
        Err(DockerError::NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
        // Helpers answer so where they hold nothing for this registry.
        Err(DockerError::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {
            Ok(RegistryAuth::Anonymous)
        }
        Err(error) => bail!(
            "what docker keeps for {registry} cannot be read: {}; `docker login {registry}` writes it again",
            clean(&error.to_string())
        ),
    }
}
