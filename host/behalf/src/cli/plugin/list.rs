//! `behalf plugin list`: the plugins of a host.

use clap::Args;
use serde_json::Value;

use super::registered::{plugins, text};
use crate::cli::service_host::{HostArgs, ServiceHost};

/// `behalf plugin list`
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    host: HostArgs,
}

pub(super) async fn run(args: &ListArgs) -> anyhow::Result<()> {
    let host = ServiceHost::find(&args.host)?;
    for plugin in plugins(&host).await? {
        println!("{}", line(&plugin));
    }
    Ok(())
}

fn line(plugin: &Value) -> String {
    let origin = match (plugin["bundled"].as_bool(), plugin["signer"].as_str()) {
        (Some(true), _) => "comes with the host".to_owned(),
        (_, Some(_)) => format!("signed by {}", text(&plugin["signer"])),
        _ => "not signed by a trusted key".to_owned(),
    };
    let state = match (plugin["enabled"].as_bool(), plugin["refused"].as_str()) {
        (Some(false), _) => ", switched off".to_owned(),
        (_, Some(_)) => format!(", not served: {}", text(&plugin["refused"])),
        _ => String::new(),
    };
    let tools: Vec<_> = plugin["tools"].as_array().into_iter().flatten().map(|tool| text(&tool["name"])).collect();
    let (name, version) = (text(&plugin["name"]), text(&plugin["version"]));
    format!("{name} {version} ({origin}{state}): {}", tools.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plugin_is_one_line() {
        let mut plugin = json!({
            "name": "rates", "version": "1.0.0", "enabled": true, "bundled": false, "signer": null,
            "tools": [{"name": "rate"}, {"name": "rates__list"}],
        });
        assert_eq!(line(&plugin), "rates 1.0.0 (not signed by a trusted key): rate, rates__list");
        plugin["enabled"] = json!(false);
        plugin["signer"] = json!("sha256:ab");
        plugin["version"] = json!("1\n\u{1b}[2J");
        let shown = line(&plugin);
        assert!(shown.contains("(signed by sha256:ab, switched off)") && !shown.contains(['\n', '\u{1b}']), "{shown}");
    }
}
