//! A plugin that is registered on a host, as the host describes it.

use anyhow::Context;
use behalf_toolchain::printable;
use reqwest::Method;
use serde_json::Value;

use crate::cli::service_host::ServiceHost;

/// Every plugin of the host, in order of names.
pub(super) async fn plugins(host: &ServiceHost) -> anyhow::Result<Vec<Value>> {
    let mut answer = host.send(host.request(Method::GET, "/api/plugins", &[])?).await?;
    match answer["plugins"].take() {
        Value::Array(plugins) => Ok(plugins),
        _ => anyhow::bail!("{} gave no list of plugins; is it a Behalf host?", host.url()),
    }
}

/// The plugin of this name.
pub(super) async fn plugin(host: &ServiceHost, name: &str) -> anyhow::Result<Value> {
    let found = plugins(host).await?.into_iter().find(|plugin| plugin["name"] == name);
    found.with_context(|| {
        format!("no plugin named {} is registered; `behalf plugin list` shows those that are", printable(name))
    })
}

/// The id of a plugin.
pub(super) fn id(plugin: &Value) -> anyhow::Result<&str> {
    plugin["id"].as_str().context("the host gave the plugin no id")
}

/// A text of a host's answer, without what would steer a terminal; a dash where there is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "-".to_owned(), |text| printable(text).replace('\n', " "))
}
