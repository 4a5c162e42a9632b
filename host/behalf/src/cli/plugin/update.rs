//! `behalf plugin update`: replaces a plugin by another version, after showing what differs.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use behalf_toolchain::{PublishedPlugin, printable};
use clap::Args;
use serde_json::Value;

use super::SourceArgs;
use super::ask::agrees;
use super::diff::{facts, lines};
use super::grants::{asked, given};
use super::install::{tell, upload};
use super::registered::{plugins, text};
use crate::cli::service_host::ServiceHost;

/// `behalf plugin update`
#[derive(Debug, Args)]
pub(in crate::cli) struct UpdateArgs {
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(args: &UpdateArgs) -> anyhow::Result<()> {
    let source = &args.source;
    let host = ServiceHost::find(&source.host)?;
    let plugin = PublishedPlugin::fetch(&source.reference, &source.registry, &source.verify).await?;
    let held = plugins(&host).await?.into_iter().find(|held| held["name"] == plugin.name());
    let held = held.with_context(|| {
        format!("no plugin named {} is registered; `behalf plugin install REF` registers it", plugin.name())
    })?;
    let before = text(&held["version"]);
    if held["digest"].as_str().is_some_and(|digest| digest == plugin.component_digest()) {
        eprintln!("behalf: the component is the one that is registered, as version {before}");
    }
    eprintln!("{}", plugin.summary());
    show("Imports", &imports(&held), &plugin.imports().into_iter().collect());
    show("What it has, and what it asks for", &facts(&held["grants"]), &facts(&plugin.grants()?));
    let grants = match &source.grants {
        Some(given_text) => given(given_text, &plugin, Some(&held["grants"]))?,
        None => asked(&plugin, &held["grants"])?,
    };
    tell("It will be granted", &grants);
    let question = format!("Replace {} {before} by {} on {}?", plugin.name(), plugin.version(), host.url());
    ensure!(source.yes || agrees(&question)?, "nothing was replaced");
    upload(&host, &plugin, &grants, true).await
}

/// The names of the interfaces that the registered version imports.
fn imports(held: &Value) -> BTreeSet<String> {
    held["imports"].as_array().into_iter().flatten().map(|import| text(&import["name"])).collect()
}

fn show(title: &str, before: &BTreeSet<String>, after: &BTreeSet<String>) {
    let changed = lines(before, after);
    eprintln!("{title}:{}", if changed.is_empty() { " the same" } else { "" });
    changed.iter().for_each(|line| eprintln!("  {}", printable(line)));
}
