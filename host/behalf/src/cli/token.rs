//! `behalf token`: mints a user token for development.

use anyhow::{Context, bail};
use clap::Args;
use uuid::Uuid;

use behalf_config::Settings;
use behalf_identity::{TokenRequest, mint_token};
use behalf_toolchain::{DevEnv, demo};

/// `behalf token`
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// The user's uuid; `alice` and `bob` name the demo users.
    #[arg(long)]
    sub: String,
    /// The `role` claim.
    #[arg(long, default_value = "authenticated")]
    role: String,
    /// How long it is valid: 90, 90s, 15m, 12h, 7d.
    #[arg(long, default_value = "1h", value_parser = seconds, allow_negative_numbers = true)]
    ttl: i64,
    /// The `email` claim.
    #[arg(long)]
    email: Option<String>,
}

/// Prints a token signed with `BEHALF_JWT_SECRET`, or with the secret that `behalf dev` keeps in its state folder.
pub(super) fn run(args: &TokenArgs) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let secret = match &settings.jwt_secret {
        Some(secret) => secret.expose().to_owned(),
        None => {
            DevEnv::read(&settings.state_dir)
                .context("BEHALF_JWT_SECRET is not set and there is no dev host here; set it, or run ./dev first")?
                .jwt_secret
        }
    };
    let subject = match args.sub.as_str() {
        "alice" => demo::ALICE.to_string(),
        "bob" => demo::BOB.to_string(),
        other if Uuid::try_parse(other).is_ok() => other.to_lowercase(),
        other => bail!("{other:?} is no uuid; users are known by their uuid, as in --sub {}", demo::ALICE),
    };
    let request = TokenRequest {
        role: args.role.clone(),
        audience: settings.jwt_audience,
        issuer: settings.jwt_issuer,
        ttl_seconds: args.ttl,
        email: args.email.clone(),
        ..TokenRequest::for_user(&subject)
    };
    println!("{}", mint_token(&secret, &request)?);
    Ok(())
}

fn seconds(text: &str) -> Result<i64, String> {
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("unknown unit {unit:?}; use s, m, h or d")),
    };
    let number: i64 = number.parse().map_err(|_| format!("{text:?} is no duration; write 90s, 15m, 12h or 7d"))?;
    number.checked_mul(factor).ok_or_else(|| "the duration is too long".to_owned())
}
