//! `behalf plugin install`: fetches a plugin, shows it, asks for its grants, and registers it.

use anyhow::{Context, bail, ensure};
use behalf_toolchain::{PublishedPlugin, printable};
use clap::Args;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::SourceArgs;
use super::ask::agrees;
use super::diff::facts;
use super::grants::{asked, given};
use super::registered::{id, plugins, text};
use crate::cli::service_host::ServiceHost;

/// `behalf plugin install`
#[derive(Debug, Args)]
pub(in crate::cli) struct InstallArgs {
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(args: &InstallArgs) -> anyhow::Result<()> {
    let source = &args.source;
    let host = ServiceHost::find(&source.host)?;
    let plugin = PublishedPlugin::fetch(&source.reference, &source.registry, &source.verify).await?;
    let held = plugins(&host).await?.into_iter().find(|held| held["name"] == plugin.name());
    if let Some(held) = held {
        let version = text(&held["version"]);
        bail!("{} {version} is registered already; `behalf plugin update REF` replaces it", plugin.name());
    }
    eprintln!("{}", plugin.summary());
    tell("It asks for", &plugin.grants()?);
    let grants = match &source.grants {
        Some(given_text) => given(given_text, &plugin, None)?,
        None => asked(&plugin, &json!({}))?,
    };
    tell("It will be granted", &grants);
    let question = format!("Register {} {} on {}?", plugin.name(), plugin.version(), host.url());
    ensure!(source.yes || agrees(&question)?, "nothing was registered");
    upload(&host, &plugin, &grants, false).await
}

/// Shows grants on standard error, one fact a line.
pub(super) fn tell(title: &str, grants: &Value) {
    let facts = facts(grants);
    eprintln!("{title}:{}", if facts.is_empty() { " nothing" } else { "" });
    facts.iter().for_each(|fact| eprintln!("  {}", printable(fact)));
}

/// Registers a plugin with these grants, and prints its tools and what is left to do.
pub(super) async fn upload(
    host: &ServiceHost,
    plugin: &PublishedPlugin,
    grants: &Value,
    replace: bool,
) -> anyhow::Result<()> {
    let mut form = Form::new()
        .part("component", Part::bytes(plugin.component().to_vec()))
        .text("grants", grants.to_string())
        .text("name", plugin.name().to_owned())
        .text("version", plugin.version().to_owned());
    if let Some(signature) = plugin.signature()? {
        form = form.text("signature", signature);
    }
    let query: &[_] = if replace { &[("replace", "true")] } else { &[] };
    let request = host.request(Method::POST, "/api/plugins", query)?.multipart(form);
    let registered = host.send(request).await.context("nothing was registered")?;
    let tools: Vec<_> = registered["tools"].as_array().into_iter().flatten().map(|tool| text(&tool["name"])).collect();
    println!("{} {}: {}", plugin.name(), plugin.version(), tools.join(", "));
    let path = format!("/api/plugins/{}/secrets", id(&registered)?);
    let answer = host.send(host.request(Method::GET, &path, &[])?).await?;
    let secrets = answer["secrets"].as_array().into_iter().flatten();
    for secret in secrets.filter(|secret| secret["set_at"].is_null()).map(|secret| text(&secret["name"])) {
        eprintln!(
            "behalf: it has no value for a secret yet: behalf plugin secret set {} {secret} < FILE",
            plugin.name()
        );
    }
    Ok(())
}
