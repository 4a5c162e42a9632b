//! `behalf keys`: makes the secret and the keys of a project, or a key pair that signs plugins.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use behalf_config::{Secret, Settings};
use behalf_identity::{mint_key, new_secret, new_secrets_key};
use behalf_tools::SigningKey;

/// `behalf keys`
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    /// Make the anon and service keys from this secret instead of a new one.
    #[arg(long, conflicts_with_all = ["from_current", "rotate", "signing"])]
    secret: Option<String>,
    /// Make the anon and service keys from the present `BEHALF_JWT_SECRET` instead of a new one.
    #[arg(long, conflicts_with_all = ["rotate", "signing"])]
    from_current: bool,
    /// Make new ones, and print the present ones as those to accept until every client has the new ones.
    #[arg(long, conflicts_with = "signing")]
    rotate: bool,
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
        Some(secret) => Some(secret.clone()),
        None if args.from_current => {
            let current = Settings::load()?.jwt_secret;
            let current = current.context("BEHALF_JWT_SECRET is not set, so there is no present secret")?;
            Some(current.expose().to_owned())
        }
        None => None,
    };
    if let Some(secret) = secret {
        eprintln!("behalf: the keys are new and made from the given secret, which stays as it is");
        println!("BEHALF_JWT_SECRET={secret}");
        return print_keys(&secret);
    }
    let secret = new_secret()?;
    let present = if args.rotate { Settings::load()? } else { return print_new(&secret) };
    eprintln!(
        "behalf: a new secret, keys made from it, a new key for secrets, and the present ones, accepted until you unset them"
    );
    println!("BEHALF_JWT_SECRET={secret}");
    print_keys(&secret)?;
    let before = [
        ("JWT_SECRET_PREVIOUS", present.jwt_secret),
        ("ANON_KEY_PREVIOUS", present.anon_key),
        ("SERVICE_ROLE_KEY_PREVIOUS", present.service_role_key),
    ];
    for (name, key) in before.iter().filter_map(|(name, key)| Some((name, key.as_ref()?))) {
        println!("BEHALF_{name}={}", key.expose());
    }
    println!("BEHALF_SECRETS_KEY={}", new_secrets_key()?);
    let earlier: Vec<_> = present.secrets_key.iter().chain(&present.secrets_key_previous).map(Secret::expose).collect();
    if !earlier.is_empty() {
        println!("BEHALF_SECRETS_KEY_PREVIOUS={}", earlier.join(","));
    }
    Ok(())
}

/// Everything new. Whatever the environment holds is not used, so it cannot be printed as if it were new.
fn print_new(secret: &str) -> anyhow::Result<()> {
    eprintln!("behalf: a new secret, keys made from it, and a new key for secrets");
    if Settings::load().is_ok_and(|settings| settings.jwt_secret.is_some() || settings.secrets_key.is_some()) {
        eprintln!(
            "behalf: keys are set here already, and these replace them: --rotate prints those as well, to be accepted for a while; --from-current makes keys from the present secret"
        );
    }
    println!("BEHALF_JWT_SECRET={secret}");
    print_keys(secret)?;
    println!("BEHALF_SECRETS_KEY={}", new_secrets_key()?);
    Ok(())
}

fn print_keys(secret: &str) -> anyhow::Result<()> {
    println!("BEHALF_ANON_KEY={}", mint_key(secret, "anon")?);
    println!("BEHALF_SERVICE_ROLE_KEY={}", mint_key(secret, "service_role")?);
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
