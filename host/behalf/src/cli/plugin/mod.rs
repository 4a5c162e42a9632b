//! `behalf plugin`: installs plugins from registries on a host, and looks after them and their secrets.

mod ask;
mod diff;
mod grants;
mod install;
mod list;
mod registered;
mod remove;
mod secret;
mod update;

use behalf_toolchain::RegistryArgs;
use clap::{Args, Subcommand};

use super::service_host::HostArgs;

/// `behalf plugin`
#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Fetch a plugin from an OCI registry, show what it could ever do, ask what it may do, and register it.
    Install(install::InstallArgs),
    /// List the plugins of a host.
    List(list::ListArgs),
    /// Replace a plugin by another version, and show what differs: its imports, and what it asks for.
    Update(update::UpdateArgs),
    /// Delete a plugin, its tools and its secrets.
    Remove(remove::RemoveArgs),
    /// Look after the secrets that the host adds to a plugin's requests.
    #[command(subcommand)]
    Secret(secret::SecretCommand),
}

/// Where a plugin comes from, and who says what it may do.
#[derive(Debug, Args)]
struct SourceArgs {
    /// What: registry/name@sha256:…, or registry/name:tag, which may be another thing tomorrow.
    #[arg(value_name = "REF")]
    reference: String,
    /// Take it only if one of these keys signed it: `ed25519:…` or a PEM file, several times for several.
    #[arg(long, value_name = "KEY")]
    verify: Vec<String>,
    /// What it may do: `suggested`, `none`, JSON, or @FILE with JSON or a plugin.toml; `keep` for an update. Without it, you are asked.
    #[arg(long, value_name = "GRANTS")]
    grants: Option<String>,
    /// Do not ask whether to go on.
    #[arg(long, requires = "grants")]
    yes: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    host: HostArgs,
}

impl PluginCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Install(args) => install::run(&args).await,
            Self::List(args) => list::run(&args).await,
            Self::Update(args) => update::run(&args).await,
            Self::Remove(args) => remove::run(&args).await,
            Self::Secret(command) => command.run().await,
        }
    }
}
