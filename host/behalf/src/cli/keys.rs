//! `behalf keys`: makes the secret and the keys of a project, or a key pair that signs plugins.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use behalf_identity::{mint_key, new_secret, new_secrets_key};
use behalf_tools::SigningKey;

/// `behalf keys`
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    /// Make the keys from this secret instead of a new one.
    #[arg(long, env = "BEHALF_JWT_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Make a key pair to sign plugins with instead: FILE, which stays secret, and FILE.pub.
    #[arg(long, value_name = "FILE")]
    signing: Option<PathBuf>,
}

/// Prints lines for the environment; the secret belongs into a secret store, the anon key may be public.
pub(super) fn run(args: &KeysArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.signing {
        return make_signing_pair(path);
    }
    let secret = match &args.secret {
        Some(secret) => secret.clone(),
        None => new_secret()?,
    };
    println!("BEHALF_JWT_SECRET={secret}");
    println!("BEHALF_ANON_KEY={}", mint_key(&secret, "anon")?);
    println!("BEHALF_SERVICE_ROLE_KEY={}", mint_key(&secret, "service_role")?);
    println!("BEHALF_SECRETS_KEY={}", new_secrets_key()?);
    Ok(())
}

/// Prints the line for hosts that are to trust the new key.
fn make_signing_pair(path: &Path) -> anyhow::Result<()> {
    let key = SigningKey::generate()?;
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    write_new(path, 0o600, &key.pem()?)?;
    write_new(Path::new(&public), 0o644, &key.public().pem())?;
    eprintln!("behalf: {} is the secret half; `behalf tool sign --key` takes it", path.display());
    eprintln!("behalf: the key's name is {}", key.public().id());
    println!("BEHALF_PLUGIN_KEYS={}", key.public());
    Ok(())
}

/// A key that is there is never replaced: what it signed could not be signed again.
fn write_new(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    let shown = path.display();
    let mut file = match std::fs::OpenOptions::new().create_new(true).write(true).mode(mode).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{shown} is there already; choose another name, or move it away")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write {shown}")),
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {shown}"))
}
