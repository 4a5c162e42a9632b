//! `behalf plugin remove`: deletes a plugin from a host.

use anyhow::ensure;
use clap::Args;
use reqwest::Method;

use super::ask::agrees;
use super::registered::{id, plugin, text};
use crate::cli::service_host::{HostArgs, ServiceHost};

/// `behalf plugin remove`
#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArgs {
    /// The plugin's name.
    plugin: String,
    /// Do not ask whether to go on.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    host: HostArgs,
}

pub(super) async fn run(args: &RemoveArgs) -> anyhow::Result<()> {
    let host = ServiceHost::find(&args.host)?;
    let plugin = plugin(&host, &args.plugin).await?;
    let tools: Vec<_> = plugin["tools"].as_array().into_iter().flatten().map(|tool| text(&tool["name"])).collect();
    let (name, version) = (text(&plugin["name"]), text(&plugin["version"]));
    let question =
        format!("Delete {name} {version} on {}, its secrets, and its tools {}?", host.url(), tools.join(", "));
    ensure!(args.yes || agrees(&question)?, "nothing was deleted");
    host.send(host.request(Method::DELETE, &format!("/api/plugins/{}", id(&plugin)?), &[])?).await?;
    println!("{name} {version} is deleted");
    Ok(())
}
