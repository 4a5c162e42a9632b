//! `behalf plugin secret`: sets, lists and deletes the secrets that the host adds to a plugin's requests.

use std::io::{IsTerminal as _, Read as _, stdin};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::registered::{id, plugin, text};
use crate::cli::service_host::{HostArgs, ServiceHost};

/// Bytes of a value, with room for the line break at its end.
const MAX_BYTES: u64 = 8 * 1024;

/// `behalf plugin secret`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SecretCommand {
    /// List the secrets that a plugin's grants name, and which of them have a value.
    List(ListArgs),
    /// Set the value of a secret, which is read from standard input or from a file.
    Set(SetArgs),
    /// Delete the value of a secret: requests to its host fail until it has one again.
    Remove(RemoveArgs),
}

/// `behalf plugin secret list`
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// The plugin's name.
    plugin: String,
    #[command(flatten)]
    host: HostArgs,
}

/// `behalf plugin secret set`
#[derive(Debug, Args)]
pub(in crate::cli) struct SetArgs {
    /// The plugin's name.
    plugin: String,
    /// The secret's name.
    secret: String,
    /// The file with the value, in place of standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    host: HostArgs,
}

/// `behalf plugin secret remove`
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArgs {
    /// The plugin's name.
    plugin: String,
    /// The secret's name.
    secret: String,
    #[command(flatten)]
    host: HostArgs,
}

impl SecretCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(args) => list(&args).await,
            Self::Set(args) => set(&args).await,
            Self::Remove(args) => remove(&args).await,
        }
    }
}

async fn list(args: &ListArgs) -> anyhow::Result<()> {
    let host = ServiceHost::find(&args.host)?;
    let plugin = plugin(&host, &args.plugin).await?;
    let answer = host.send(host.request(Method::GET, &path(&plugin, None)?, &[])?).await?;
    for secret in answer["secrets"].as_array().into_iter().flatten() {
        println!("{}", line(secret));
    }
    for name in answer["unused"].as_array().into_iter().flatten() {
        println!("{}: has a value that no request gets; set it again, or remove it", text(name));
    }
    Ok(())
}

async fn set(args: &SetArgs) -> anyhow::Result<()> {
    let host = ServiceHost::find(&args.host)?;
    let plugin = plugin(&host, &args.plugin).await?;
    let value = read_value(args)?;
    let request = host.request(Method::PUT, &path(&plugin, Some(&args.secret))?, &[])?;
    let secret = host.send(request.json(&json!({ "value": value.trim() }))).await?;
    println!("{}", line(&secret));
    Ok(())
}

async fn remove(args: &RemoveArgs) -> anyhow::Result<()> {
    let host = ServiceHost::find(&args.host)?;
    let plugin = plugin(&host, &args.plugin).await?;
    host.send(host.request(Method::DELETE, &path(&plugin, Some(&args.secret))?, &[])?).await?;
    println!("{}: has no value any more", args.secret);
    Ok(())
}

/// The path of a plugin's secrets, or of one.
fn path(plugin: &Value, secret: Option<&str>) -> anyhow::Result<String> {
    let all = format!("/api/plugins/{}/secrets", id(plugin)?);
    let Some(secret) = secret else { return Ok(all) };
    let is_name = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    ensure!(is_name, "{secret:?} is no name of a secret; `behalf plugin secret list` shows them");
    Ok(format!("{all}/{secret}"))
}

/// The value, never from the command line: other users of a machine see that, and shells keep it.
fn read_value(args: &SetArgs) -> anyhow::Result<String> {
    let mut value = String::new();
    match &args.file {
        Some(path) => {
            let shown = path.display();
            let file = std::fs::File::open(path).with_context(|| format!("cannot read {shown}"))?;
            file.take(MAX_BYTES).read_to_string(&mut value).with_context(|| format!("cannot read {shown}"))?;
        }
        None if stdin().is_terminal() => {
            eprintln!("behalf: type the value, which is shown while you type, and press Enter");
            stdin().read_line(&mut value).context("cannot read the value")?;
        }
        None => {
            stdin().take(MAX_BYTES).read_to_string(&mut value).context("cannot read the value")?;
        }
    }
    ensure!(!value.trim().is_empty(), "there is no value; write it to standard input, or name its file with --file");
    Ok(value)
}

/// One secret as a line.
fn line(secret: &Value) -> String {
    let [name, host, header] = ["name", "host", "header"].map(|key| text(&secret[key]));
    let state = match (secret["set_at"].as_str(), secret["last_four"].as_str()) {
        (None, _) => "not set; requests to this host fail until it is".to_owned(),
        (Some(_), None) => format!("set at {}", text(&secret["set_at"])),
        (Some(_), Some(_)) => format!("set at {}, ends in {}", text(&secret["set_at"]), text(&secret["last_four"])),
    };
    format!("{name}: for {host} in {header}, {state}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_whether_it_is_set_and_steers_no_terminal() {
        let mut secret = json!({"name": "key", "host": "api.example.com", "header": "authorization", "set_at": null, "last_four": null});
        assert!(line(&secret).starts_with("key: for api.example.com in authorization, not set"));
        secret["set_at"] = json!("2026-01-01T00:00:00Z");
        assert!(line(&secret).ends_with("set at 2026-01-01T00:00:00Z"));
        secret["last_four"] = json!("\u{1b}[3\n");
        assert!(!line(&secret).contains(['\u{1b}', '\n']));
    }

    #[test]
    fn a_name_stays_in_its_path() {
        let plugin = json!({"id": "1"});
        assert_eq!(path(&plugin, Some("rates_key")).expect("a path"), "/api/plugins/1/secrets/rates_key");
        for bad in ["", "../../users", "a?b", "a b"] {
            assert!(path(&plugin, Some(bad)).is_err(), "{bad}");
        }
    }
}
