//! Registering a component on the host of `behalf dev`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use behalf_sandbox::Inspection;
use serde_json::{Value, json};

use crate::dev_env::DevEnv;
use crate::printable::printable;
use crate::project::Project;

/// Registers a component on the host that `behalf dev` runs, in place of the one it has under this name.
pub(super) async fn register(project: &Project, inspection: &Inspection, state_dir: &Path) -> anyhow::Result<()> {
    let env = dev_env(&project.dir, state_dir)?;
    let manifest = &project.manifest;
    let part = |text: String| reqwest::multipart::Part::text(text);
    let form = reqwest::multipart::Form::new()
        .part("component", reqwest::multipart::Part::bytes(inspection.component.clone()))
        .part("grants", part(manifest.grants.clone().unwrap_or_else(|| json!({})).to_string()))
        .part("name", part(manifest.name.clone()))
        .part("version", part(manifest.version.clone()));
    let client = Client { http: reqwest::Client::new(), env: &env };
    let post = client.http.post(format!("{}/api/plugins?replace=true", env.base_url)).multipart(form);
    let plugin = client.send(post).await?;
    if let Some(settings) = &manifest.settings {
        let id = plugin["id"].as_str().context("the host gave the plugin no id")?;
        let patch = client.http.patch(format!("{}/api/plugins/{id}", env.base_url));
        client.send(patch.json(&json!({ "settings": settings }))).await?;
    }
    let tools: Vec<_> =
        plugin["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str()).collect();
    eprintln!("behalf: registered {} on {} ({})", manifest.name, env.base_url, printable(&tools.join(", ")));
    Ok(())
}

/// Reads `dev.env` in the host's state folder: the setting's, else `.behalf` in the project or above it.
fn dev_env(project: &Path, state_dir: &Path) -> anyhow::Result<DevEnv> {
    let above = project.ancestors().map(|dir| dir.join(".behalf"));
    let found = std::iter::once(PathBuf::from(state_dir)).chain(above).find(|dir| dir.join("dev.env").is_file());
    let dir = found.context(
        "there is no `behalf dev` host to register on; start one in this folder or above it, or set BEHALF_STATE_DIR to its state folder",
    )?;
    DevEnv::read(&dir)
}

struct Client<'a> {
    http: reqwest::Client,
    env: &'a DevEnv,
}

impl Client<'_> {
    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let key = &self.env.service_role_key;
        let answer = request.header("apikey", key).bearer_auth(key).send().await.with_context(|| {
            format!("no `behalf dev` host answers at {}; start it with `behalf dev`", self.env.base_url)
        })?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if !status.is_success() {
            bail!("the host answered {status}: {}", printable(body["error"].as_str().unwrap_or("no reason given")));
        }
        Ok(body)
    }
}
