use clap::Args;

use crate::identity::{mint_key, new_secret};

/// `behalf keys`
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    /// Make the keys from this secret instead of a new one.
    #[arg(long, env = "BEHALF_JWT_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

/// Prints lines for the environment; the secret belongs into a secret store, the anon key may be public.
pub(super) fn run(args: &KeysArgs) -> anyhow::Result<()> {
    let secret = match &args.secret {
        Some(secret) => secret.clone(),
        None => new_secret()?,
    };
    println!("BEHALF_JWT_SECRET={secret}");
    println!("BEHALF_ANON_KEY={}", mint_key(&secret, "anon")?);
    println!("BEHALF_SERVICE_ROLE_KEY={}", mint_key(&secret, "service_role")?);
    Ok(())
}
